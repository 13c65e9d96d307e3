// SPDX-License-Identifier: Apache-2.0
// Sessions, and one of them as a tree of processes.

import {get} from "./api.js";
import {code, element, plain, when, words} from "./text.js";

const live = document.getElementById("sessions-live");
const ended = document.getElementById("sessions-ended");
const tree = document.getElementById("tree");
let isShown = false, isStale = true;

export const said = {alert: () => {}, openLog: () => {}};

function actions(name) {
	const label = plain(name);
	const show = element("button", {type: "button", "aria-label": `Processes of ${label}`}, "Processes");
	const log = element("button", {type: "button", "aria-label": `Log of ${label}`}, "Log");
	const report = element("a", {href: `report?session=${encodeURIComponent(name)}`, "aria-label": `Report on ${label}`}, "Report");
	show.addEventListener("click", () => showTree(name));
	log.addEventListener("click", () => said.openLog(name));
	return element("p", {className: "row"}, show, log, report);
}

function liveEntry(s) {
	const counts = s.counts?.by_verdict ?? {};
	return element("li", {className: "card"},
		       element("h4", {}, code(s.agent), " ", code(s.session)),
		       element("p", {}, words(s.command ?? [], 24)),
		       element("p", {className: "dim"}, `${Number(s.counts?.total ?? 0)} decisions, ${Number(counts.deny ?? 0)} denied, ${Number(counts.flag ?? 0)} flagged, ${Number(s.held)} held now; supervisor ${Number(s.pid)}`),
		       actions(s.session));
}

function endedEntry(s) {
	return element("li", {className: "card"}, element("p", {}, code(s.session), " ", element("span", {className: "dim"}, "last written ", when(s.written), `, ${Math.ceil(Number(s.size) / 1024)} KiB`)),
		       actions(s.session));
}

function fill(parent, entries, none) {
	parent.replaceChildren(...entries);
	if (!entries.length)
		parent.append(element("li", {className: "dim"}, none));
}

// The list is by depth, each process after the one that started it.
function buildTree(list) {
	const root = element("ul", {className: "tree"});
	const lists = new Map();
	for (const p of list) {
		const last = p.commands?.at(-1);
		const item = element("li", {}, code(last?.command ?? p.exe ?? "unknown"),
				     element("span", {className: "dim"}, ` process ${Number(p.pid)}, ${Number(p.total)} decisions`));
		if (p.denied)
			item.append(" ", element("span", {className: "v deny"}, `${Number(p.denied)} denied`));
		for (const d of p.denials ?? [])
			item.append(element("div", {className: "dim"}, element("span", {className: "v deny"}, "deny"), " ", code(d.op ?? ""), " ", code(d.object ?? ""), " ", code(d.reason ?? "")));
		const children = element("ul");
		(lists.get(p.parent) ?? root).append(item);
		lists.set(p.id, children);
		item.append(children);
	}
	for (const children of lists.values())
		if (!children.childElementCount)
			children.remove();
	return root;
}

async function showTree(name) {
	const body = document.getElementById("tree-body");
	tree.hidden = false;
	document.getElementById("tree-title").replaceChildren("Processes of ", code(name));
	body.replaceChildren("reading the log");
	document.getElementById("tree-title").focus();
	try {
		const reply = await get("api/tree", {session: name});
		body.replaceChildren(buildTree(reply.list), element("p", {className: "dim"}, `${Number(reply.total)} processes in all`));
	} catch (error) {
		body.replaceChildren(code(error.message));
	}
}

/** The sessions there are; the running ones first. */
export async function names() {
	const reply = await get("api/sessions");
	const running = new Set(reply.live.map((s) => s.session));
	return {reply, running, all: [...running, ...reply.logs.map((l) => l.session).filter((n) => !running.has(n))]};
}

export async function refresh() {
	isStale = true;
	if (!isShown)
		return;
	isStale = false;
	try {
		const {reply, running} = await names();
		fill(live, reply.live.map(liveEntry), "No session is running.");
		fill(ended, reply.logs.filter((l) => !running.has(l.session)).slice(0, 100).map(endedEntry), "No log of an ended session is in the default place.");
	} catch (error) {
		said.alert(`Sessions cannot be seen: ${plain(error.message, 400)}`);
	}
}

export function show(isVisible) {
	isShown = isVisible;
	if (isVisible && isStale)
		refresh();
}
