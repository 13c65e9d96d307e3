#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""desktop.py DIR [--plain] [--eager]: a notification service on the session bus. What it is told goes to
DIR/notified, one JSON object a line; a line "NUMBER KEY" in the FIFO DIR/click is a click on that
notification (as desktops do it: it is closed, too). --plain: one without actions and markup.
--eager: the first notification is clicked on as soon as it is shown."""
import json
import os
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"
PLACE = "/org/freedesktop/Notifications"


class Desktop(dbus.service.Object):
    def __init__(self, bus, directory, is_plain, is_eager):
        super().__init__(bus, PLACE)
        self.directory, self.is_plain, self.is_eager, self.number = directory, is_plain, is_eager, 0

    def note(self, **said):
        with open(f"{self.directory}/notified", "a", encoding="utf-8") as out:
            out.write(json.dumps(said) + "\n")

    @dbus.service.method(NAME, in_signature="", out_signature="as")
    def GetCapabilities(self):
        return ["body"] if self.is_plain else ["actions", "body", "body-markup"]

    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        self.number += 1
        self.note(event="notify", number=self.number, app=app, summary=summary, body=body, actions=actions,
                  timeout=timeout)
        if self.is_eager and self.number == 1:
            GLib.idle_add(self.ActionInvoked, dbus.UInt32(1), "allow")
        return dbus.UInt32(self.number)

    @dbus.service.method(NAME, in_signature="u", out_signature="")
    def CloseNotification(self, number):
        self.note(event="close", number=number)
        self.NotificationClosed(number, dbus.UInt32(3))

    @dbus.service.signal(NAME, signature="us")
    def ActionInvoked(self, number, key):
        pass

    @dbus.service.signal(NAME, signature="uu")
    def NotificationClosed(self, number, reason):
        pass

    def click(self, channel, _):
        for line in channel:
            number, key = line.split()
            if key != "dismiss":
                self.ActionInvoked(dbus.UInt32(number), key)
            self.NotificationClosed(dbus.UInt32(number), dbus.UInt32(2))
        return True


def main():
    directory = sys.argv[1]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus()
    fifo = f"{directory}/click"
    if not os.path.exists(fifo):
        os.mkfifo(fifo, 0o600)
    desktop = Desktop(bus, directory, "--plain" in sys.argv, "--eager" in sys.argv)
    # Both ends, so that it does not end with whoever wrote.
    channel = os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "r", encoding="utf-8")
    GLib.io_add_watch(channel, GLib.IO_IN, desktop.click)
    desktop.note(event="ready", result=int(bus.request_name(NAME, dbus.bus.NAME_FLAG_DO_NOT_QUEUE)))
    GLib.MainLoop().run()


main()
