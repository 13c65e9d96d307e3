// SPDX-License-Identifier: Apache-2.0
// The page: views by the address's fragment, events to those that show them.

import * as api from "./api.js";
import * as grants from "./grants.js";
import * as held from "./held.js";
import * as live from "./live.js";
import * as log from "./log.js";
import * as sessions from "./sessions.js";
import {plain} from "./text.js";

const VIEWS = ["held", "live", "sessions", "grants", "log"];
const connection = document.getElementById("connection");
const help = document.getElementById("help");
let logName = null;

function news(text) {
	document.getElementById("news").textContent = text;
}

function alert(text) {
	document.getElementById("alert").textContent = text;
}

function view() {
	const name = location.hash.slice(1);
	return VIEWS.includes(name) ? name : "held";
}

function showView(isFirst) {
	const current = view();
	for (const name of VIEWS) {
		document.getElementById(`view-${name}`).hidden = name !== current;
		const link = document.querySelector(`nav a[href="#${name}"]`);
		if (name === current)
			link.setAttribute("aria-current", "page");
		else
			link.removeAttribute("aria-current");
	}
	alert("");
	sessions.show(current === "sessions");
	grants.show(current === "grants");
	if (current === "log") {
		log.show(logName);
		logName = null;
	}
	if (!isFirst)
		document.getElementById(`${current}-title`).focus();
}

function listen() {
	api.listen({
		open() {
			connection.textContent = "connected";
			held.refresh();
			sessions.refresh();
		},
		error() {
			connection.textContent = "not connected: what is shown may be old";
		},
		held: held.refresh,
		sessions: sessions.refresh,
		decision: live.decision,
		skipped: (event) => live.skipped(event.n, event.session),
		lost: (event) => {
			live.skipped(event.n, "all sessions");
			held.refresh();
		},
		attempt: (event) => alert(`Process ${Number(event.pid)} of session ${plain(event.session)} tried to use this page and was refused.`),
	});
}

held.said.news = news;
held.said.alert = alert;
sessions.said.alert = alert;
grants.said.alert = alert;
grants.said.news = news;
sessions.said.openLog = (name) => {
	logName = name;
	location.hash = "#log";
};

document.getElementById("help-open").addEventListener("click", () => help.showModal());
document.getElementById("logout").addEventListener("click", async () => {
	await api.post("api/logout", {});
	location.reload();
});
// The address's fragment is the view's name, so this one is not followed.
document.querySelector(".skip").addEventListener("click", (event) => {
	event.preventDefault();
	document.getElementById(`${view()}-title`).focus();
});
addEventListener("hashchange", () => showView(false));

try {
	await api.start();
	live.start();
	log.start();
	showView(true);
	await held.start();
	listen();
} catch (error) {
	alert(`The page cannot start: ${plain(error.message, 400)}`);
}
