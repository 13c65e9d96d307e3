/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network that a group with has_network gets: a namespace of its own in which these addresses
 * are the loopback device's, and where something listens on each of them. An attack that gets
 * through is seen there, and cannot leave the machine.
 */
#pragma once

#include "tests/attack/world.h"

#define ATTACK_PORT_ALLOWED 8080 /* PN; the shipped policies allow all of the loopback but: */
#define ATTACK_PORT_DENIED  2375
#define ATTACK_PORT_DNS     53
#define ATTACK_PORT_WEB     80

#define ATTACK_FAR4      "198.51.100.1" /* TEST-NET-2: stands for any address of the internet */
#define ATTACK_FAR6      "2001:db8::1"
#define ATTACK_LINK6     "fe80::1"
#define ATTACK_METADATA4 "169.254.169.254"
#define ATTACK_METADATA6 "fd00:ec2::254"

/* The IPv4 metadata service as a translator or a tunnel would reach it: here they are addresses of
 * this machine, so that an attack that gets through is seen. */
#define ATTACK_NAT64       "64:ff9b::a9fe:a9fe"
#define ATTACK_NAT64_LOCAL "64:ff9b:1::a9fe:a9fe"
#define ATTACK_NAT64_SHORT "64:ff9b:1:a9fe:a9:fe00::"
#define ATTACK_6TO4        "2002:a9fe:a9fe::1"
#define ATTACK_TEREDO      "2001:0:a9fe:a9fe::1"
#define ATTACK_TEREDO_PEER "2001:0:102:304::5601:5601"
#define ATTACK_ISATAP      "fd00::200:5efe:a9fe:a9fe"
#define ATTACK_TRANSLATED  "::ffff:0:a9fe:a9fe"
#define ATTACK_COMPATIBLE  "::a9fe:a9fe"

/* Leaves the network of the machine. Return: 0, -errno (no right to: no group is run). */
int attack_net_enter(void) _must_check_;
/* Listens everywhere, into @h's listeners. Return: 0, -errno. */
int attack_net_listen(struct host *h) _must_check_;
