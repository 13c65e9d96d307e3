#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A browser without a screen, and what is not one: page.py DEED LINK [ARGUMENT...].

Ends with status 0 when what DEED says held, else says what did not."""

import http.client
import json
import os
import re
import socket
import sys
import time
import urllib.parse


class Page:
    def __init__(self, link):
        url = urllib.parse.urlsplit(link)
        self.host, self.port, self.link = url.hostname, url.port, link
        self.cookie = self.base = self.csrf = None

    def name(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def ask(self, method, path, headers=None, body=None, timeout=20):
        c = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def enter(self):
        path = self.link[self.link.index("/login"):]
        status, headers, body = self.ask("GET", path)
        if status == 200:
            self.cookie = headers["Set-Cookie"].split(";")[0]
            self.base = re.search(r"Path=(/[0-9a-f]+/);", headers["Set-Cookie"])[1]
            self.csrf = self.get("api/state")["csrf"]
        return status, headers, body

    def restore(self, file):
        with open(file) as f:
            self.cookie, self.base, self.csrf = f.read().split()
        return self

    def headers(self, **more):
        h = {"Cookie": self.cookie, "Origin": "http://" + self.name(), "X-Holdfast-CSRF": self.csrf,
             "Content-Type": "application/json"}
        h.update({k.replace("_", "-"): v for k, v in more.items()})
        return {k: v for k, v in h.items() if v is not None}

    def get(self, path):
        status, _, body = self.ask("GET", self.base + path, {"Cookie": self.cookie})
        assert status == 200, (path, status, body)
        return json.loads(body)

    def held(self):
        """Those of this test: root sees the sessions of the whole machine."""
        ours = os.path.dirname(os.environ["HOME"])
        return [h for h in self.get("api/held")["held"] if (h["object"] or "").startswith(ours + "/")]

    def answer(self, body, **headers):
        body = body if isinstance(body, (bytes, str)) else json.dumps(body)
        status, _, reply = self.ask("POST", self.base + "api/answer", self.headers(**headers), body)
        return status, reply.decode()

    def first(self, answer="approve", **more):
        h = self.held()[0]
        return {"session": h["session"], "id": h["id"], "answer": answer, **more}


def expect(got, wanted, what):
    if got != wanted:
        sys.exit(f"{what}: expected {wanted!r}, got {got!r}")


def keep(page, file):
    """A browser that was let in, for a later deed."""
    expect(page.enter()[0], 200, "the link")
    with open(file, "w") as f:
        print(page.cookie, page.base, page.csrf, file=f)


def approve(page):
    keep(page, os.devnull)
    body = page.first()
    status, reply = page.answer(body)
    expect(status, 200, f"approve {reply}")
    status, reply = page.answer(body)  # replayed; the session may have ended with it
    expect(status in (404, 409), True, f"the same answer again: {status} {reply}")


def deny(page, reason):
    keep(page, os.devnull)
    expect(page.answer(page.first("deny", reason=reason))[0], 200, "deny")


def grant(page):
    keep(page, os.devnull)
    h = page.held()[0]
    expect("exact" in [a["scope"] for a in h["answers"]], True, "an exact grant is offered")
    status, reply = page.answer(page.first(**{"for": "session", "scope": "exact"}))
    expect(status, 200, reply)
    expect(bool(json.loads(reply)["grant"]), True, "a grant was made")


def grants(page):
    """An answer for the session is listed, and ends when it is revoked here."""
    keep(page, os.devnull)
    expect(page.get("api/grants")["grants"], [], "no grants")
    status, reply = page.answer(page.first(**{"for": "session", "scope": "exact"}))
    expect(status, 200, reply)
    made = json.loads(reply)["grant"]
    listed = page.get("api/grants")["grants"]
    expect([(g["id"], g["for"], g["verdict"]) for g in listed], [(made, "session", "allow")], "listed")
    expect(bool(listed[0]["covers"]), True, "in words")
    for what, wanted, body, more in (("no CSRF token", 403, {"id": made}, {"X_Holdfast_CSRF": None}),
                                     ("an option", 400, {"id": "--all"}, {}), ("a key more", 400, {"id": made, "all": 1}, {}),
                                     ("no such grant", 400, {"id": "aaaaaaaa" if made != "aaaaaaaa" else "bbbbbbbb"}, {})):
        status, _, reply = page.ask("POST", page.base + "api/revoke", page.headers(**more), json.dumps(body))
        expect(status, wanted, f"{what}: {reply}")
    expect(len(page.get("api/grants")["grants"]), 1, "still there")
    status, _, reply = page.ask("POST", page.base + "api/revoke", page.headers(), json.dumps({"id": made}))
    expect((status, json.loads(reply)), (200, {"revoked": made}), "revoke")
    expect(page.get("api/grants")["grants"], [], "gone")


def link_once(page):
    expect(page.enter()[0], 200, "the link")
    expect(Page(page.link).enter()[0], 403, "the link again")
    wrong = page.link[:-4] + ("0000" if page.link[-4:] != "0000" else "1111")
    expect(Page(wrong).enter()[0], 403, "another link")


def headers(page):
    _, h, _ = page.enter()
    attributes = h["Set-Cookie"].split("; ")[1:]
    expect(attributes, [f"Path={page.base}", "HttpOnly", "SameSite=Strict"], "the cookie")
    for path in ("", "app.js", "style.css", "api/held", "nothing"):
        _, h, body = page.ask("GET", page.base + path, {"Cookie": page.cookie})
        csp = h["Content-Security-Policy"]
        expect(csp.startswith("default-src 'none'; script-src 'self'; style-src 'self'"), True, csp)
        expect("unsafe" in csp or "frame-ancestors 'none'" not in csp, False, csp)
        expect(h["X-Content-Type-Options"], "nosniff", path)
        expect(h["X-Frame-Options"], "DENY", path)
        expect(h["Cache-Control"], "no-store", path)
        expect(h["Referrer-Policy"], "no-referrer", path)
        expect(b"//cdn" in body or b"innerHTML" in body or b"http://" in body, False, path)


def refusals(page):
    """Everything that is not the page itself; at the end nothing was answered."""
    keep(page, os.devnull)
    body, get = page.first(), {"Cookie": page.cookie}
    other = {"Host": f"rebound.example:{page.port}"}
    expect(page.ask("GET", page.base + "api/held", {**get, **other})[0], 421, "another Host")
    expect(page.ask("GET", page.base + "api/held")[0], 403, "no cookie")
    expect(page.ask("GET", page.base + "api/held", {"Cookie": page.cookie[:-1] + "x"})[0], 403, "a wrong cookie")
    expect(page.ask("GET", "/" + "0" * 32 + "/api/held", get)[0], 404, "another path")
    expect(page.ask("GET", "/api/held", get)[0], 404, "no path")
    expect(page.ask("GET", page.base + "../" + page.base + "api/held", get)[0], 404, "dots")
    expect(page.ask("GET", page.base + "api/held", {**get, "Sec-Fetch-Site": "same-site"})[0], 403, "the next port")
    expect(page.ask("GET", page.base + "api/answer", get)[0], 404, "GET of an answer")
    expect(page.ask("PUT", page.base + "api/answer", page.headers())[0], 405, "PUT")
    for what, wanted, more in (
            ("no Origin", 403, {"Origin": None}), ("Origin null", 403, {"Origin": "null"}),
            ("the next port", 403, {"Origin": f"http://{page.host}:1"}),
            ("another site", 403, {"Origin": "https://evil.example"}),
            ("no CSRF token", 403, {"X_Holdfast_CSRF": None}),
            ("a wrong CSRF token", 403, {"X_Holdfast_CSRF": "0" * 64}),
            ("the cookie as CSRF token", 403, {"X_Holdfast_CSRF": page.cookie.split("=")[1]}),
            ("no cookie", 403, {"Cookie": None}),
            ("a form", 415, {"Content_Type": "application/x-www-form-urlencoded"}),
            ("cross-site", 403, {"Sec_Fetch_Site": "cross-site"}),
            ("a rebound name", 421, {"Host": f"rebound.example:{page.port}", "Origin": f"http://rebound.example:{page.port}"})):
        expect(page.answer(body, **more)[0], wanted, what)
    for what, wanted, sent in (
            ("no JSON", 400, b"\xff"), ("an array", 400, "[]"), ("nothing", 400, ""),
            ("an unknown key", 400, {**body, "force": True}), ("an unknown answer", 400, {**body, "answer": "allow"}),
            ("a scope alone", 400, {**body, "scope": "agent"}), ("a term alone", 400, {**body, "for": "always"}),
            ("an unknown term", 400, {**body, "scope": "agent", "for": "13h"}),
            ("a path for a session", 400, {**body, "session": "../x"}),
            ("two ids", 400, json.dumps(body)[:-1] + ', "id": "aaaaaaaa"}'),
            ("an unknown id", 404, {**body, "id": "aaaaaaaa" if body["id"] != "aaaaaaaa" else "bbbbbbbb"}),
            ("an unknown session", 404, {**body, "session": "nosuch"}),
            ("too large", 413, json.dumps({**body, "reason": "x" * 9000})),
            ("far too large", 413, "x" * 200000)):
        try:
            expect(page.answer(sent)[0], wanted, what)
        except (BrokenPipeError, ConnectionResetError):
            expect(wanted, 413, what)  # it did not even listen to the end
    expect(page.ask("GET", page.base + "x" * 60000, get)[0] in (403, 404, 414, 431), True, "a long address")
    expect(len(page.held()), 1, "held after all that")


def reads(page, session):
    keep(page, os.devnull)
    live = [s for s in page.get("api/sessions")["live"] if s["session"] == session]
    expect(len(live), 1, "the session is listed")
    log = page.get(f"api/log?session={session}&limit=5")
    expect(len(log["records"]), 5, "five records")
    expect(log["records"][0]["seq"] > log["records"][4]["seq"], True, "the newest first")
    asked = page.get(f"api/log?session={session}&verdict=ask")["records"]
    expect([r["event"] for r in asked], ["held"], "filtered")
    expect(page.get(f"api/tree?session={session}")["total"] >= 1, True, "a process")
    status, h, body = page.ask("GET", f"{page.base}report?session={session}", {"Cookie": page.cookie})
    expect((status, body.startswith(b"<!DOCTYPE html>"), b"<svg" in body), (200, True, True), "the report")
    expect("sandbox" in h["Content-Security-Policy"] and "style-src 'sha256-" in h["Content-Security-Policy"], True, "its CSP")
    for bad in ("--help", "../../etc/passwd", "", "a%00b", "x" * 300):
        expect(page.ask("GET", f"{page.base}report?session={bad}", {"Cookie": page.cookie})[0], 400, bad)
    # A filter is an argument, whatever it looks like.
    status, _, body = page.ask("GET", f"{page.base}api/log?session={session}&text=--help", {"Cookie": page.cookie})
    expect((status, json.loads(body)["records"]), (200, []), "a filter like an option")
    expect(page.ask("GET", f"{page.base}api/log?session={session}&kind=nonsense", {"Cookie": page.cookie})[0], 400, "a wrong filter")


def latency(page, trigger, rounds):
    """From the held action's time to the browser that was told and has asked: the worst of @rounds."""
    keep(page, os.devnull)
    c = http.client.HTTPConnection(page.host, page.port, timeout=30)
    c.request("GET", page.base + "api/events", headers={"Cookie": page.cookie})
    events = c.getresponse()
    worst = []
    for i in range(int(rounds)):
        open(f"{trigger}.{i}", "w").close()
        end = time.monotonic() + 15
        while True:
            line = events.readline()
            expect(time.monotonic() < end, True, "told of it at all")
            if line.strip() == b"event: held":
                held = page.held()
                if held:
                    break
        took = time.time() - parse(held[0]["time"])
        worst.append(took)
        expect(page.answer(page.first())[0], 200, "approve")
        while page.held():
            expect(time.monotonic() < end, True, "the action has gone on")
    worst.sort()
    print(f"held to seen: median {worst[len(worst) // 2] * 1000:.0f} ms, worst {worst[-1] * 1000:.0f} ms")
    expect(worst[len(worst) // 2] < 0.2, True, f"median under 200 ms: {worst}")


def parse(text):
    whole, fraction = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0." + fraction)


def slow(page):
    """Connections that say nothing, little by little, or never read: none keeps the page from others."""
    keep(page, os.devnull)
    idle = [socket.create_connection((page.host, page.port)) for _ in range(60)]
    drip = socket.create_connection((page.host, page.port))
    drip.sendall(b"GET / HTTP/1.1\r\n")
    drip.settimeout(0.3)
    began, answered, is_open = time.monotonic(), 0, True
    while is_open and time.monotonic() - began < 60:
        page.get("api/state")
        # No limit of seconds: from the 48th connection on each costs a look at all processes, and a busy machine may have
        # thousands. Who had to wait for slow ones would be answered when these are gone.
        try:
            drip.sendall(b"X")
            is_open = drip.recv(100) != b""
        except TimeoutError:
            pass
        except OSError:
            is_open = False
        answered += is_open
    expect(is_open, False, "a request that never comes is ended")
    expect(answered > 0, True, "answers beside slow ones")
    for s in idle:
        s.close()


def inside(page, file, log=None):
    """In a session, with everything that a browser has. With @log it waits until that says so."""
    expect(page.enter()[0], 403, "the link, inside")
    page.restore(file)
    status, _, body = page.ask("GET", page.base + "api/held", {"Cookie": page.cookie})
    expect((status, b"process of a session" in body), (403, True), "to look, inside")
    expect(page.answer({"session": "a", "id": "aaaaaaaa", "answer": "approve"})[0], 403, "to answer, inside")
    end = time.monotonic() + 20
    while log and "tried to use the web page" not in open(log).read():
        expect(time.monotonic() < end, True, "recorded")
        time.sleep(0.05)


def hit_and_run(page, file, session, held):
    """In a session: says all there is to say, and is gone before anybody can look who it was."""
    page.restore(file)
    body = json.dumps({"session": session, "id": held, "answer": "approve"})
    head = "".join(f"{k}: {v}\r\n" for k, v in page.headers().items())
    for _ in range(20):
        s = socket.create_connection((page.host, page.port), timeout=20)
        s.sendall(f"POST {page.base}api/answer HTTP/1.1\r\nHost: {page.name()}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        s.close()


def crowd(page, file, ready, done):
    """In a session: takes all the connections that it can get, and keeps them."""
    page.restore(file)
    taken = []
    for _ in range(400):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((page.host, page.port))
        taken.append(s)
    open(ready, "w").close()
    # The test may have failed, and have taken its directory with it.
    while os.path.exists(ready) and not os.path.exists(done):
        time.sleep(0.02)


def works(page, file):
    page.restore(file)
    t = time.monotonic()
    page.get("api/state")
    expect(time.monotonic() - t < 5, True, "an answer in time")


def lists(page, session):
    keep(page, os.devnull)
    expect([s["held"] for s in page.get("api/sessions")["live"] if s["session"] == session], [1], "listed")


def listen(page, file, ready):
    page.restore(file)
    c = http.client.HTTPConnection(page.host, page.port, timeout=30)
    c.request("GET", page.base + "api/events", headers={"Cookie": page.cookie})
    events = c.getresponse()
    events.readline()
    open(ready, "w").close()
    events.read()


def hangs(page, file, ready):
    """As many questions about a session that hangs as the page has threads."""
    page.restore(file)
    asking = []
    for _ in range(4):
        c = http.client.HTTPConnection(page.host, page.port, timeout=30)
        c.request("GET", page.base + "api/held", headers={"Cookie": page.cookie})
        asking.append(c)
    open(ready, "w").close()
    for c in asking:
        try:
            c.getresponse().read()
        except OSError:
            pass  # the page was ended


def logout(page):
    keep(page, os.devnull)
    status, h, _ = page.ask("POST", page.base + "api/logout", page.headers(), "{}")
    expect((status, "Max-Age=0" in h["Set-Cookie"]), (200, True), "log out")
    expect(page.ask("GET", page.base + "api/state", {"Cookie": page.cookie})[0], 403, "afterwards")


DEEDS = [keep, approve, deny, grant, grants, link_once, headers, refusals, reads, latency, slow, inside,
         hit_and_run, crowd, works, lists, listen, hangs, logout]
if __name__ == "__main__":
    {f.__name__: f for f in DEEDS}[sys.argv[1]](Page(sys.argv[2]), *sys.argv[3:])
