// SPDX-License-Identifier: Apache-2.0
// The log of one session, filtered where it is read.

import {get} from "./api.js";
import {element, plain, record} from "./text.js";
import {names} from "./sessions.js";

const form = document.getElementById("log-form");
const session = document.getElementById("log-session");
const state = document.getElementById("log-state");
const list = document.getElementById("log-list");
let asked = 0;

async function read() {
	const mine = ++asked, query = Object.fromEntries(new FormData(form));
	state.textContent = "reading the log";
	list.replaceChildren();
	if (!query.session) {
		state.textContent = "There is no session yet.";
		return;
	}
	try {
		const reply = await get("api/log", {...query, limit: "300"});
		if (mine !== asked) // a newer question is under way
			return;
		list.replaceChildren(...reply.records.map(record));
		state.textContent = `${reply.records.length} records${reply.records.length === 300 || reply.cut ? ", the newest; there may be more" : ""}`;
	} catch (error) {
		state.textContent = plain(error.message, 400);
	}
}

/** Shows it, for @name if it is given. */
export async function show(name) {
	try {
		const chosen = name ?? session.value, {all} = await names();
		session.replaceChildren(...all.map((n) => element("option", {value: n}, plain(n))));
		if (all.includes(chosen))
			session.value = chosen;
	} catch (error) {
		state.textContent = plain(error.message, 400);
	}
	return read();
}

export function start() {
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		read();
	});
}
