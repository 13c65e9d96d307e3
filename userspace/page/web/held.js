// SPDX-License-Identifier: Apache-2.0
// Held actions and their answers. What was learnt elsewhere the hard way: nothing moves under a
// pointer that is about to press, a press right after the page changed or came to the front is not an
// answer, a key that is held down is none, and each action is answered once.

import {get, post} from "./api.js";
import {code, element, plain, words} from "./text.js";

const QUIET_MS = 500;   // after a change, presses are not answers
const ENDED_MS = 8000;  // what has ended stays so long, unless the reader is at the list

const list = document.getElementById("held-list");
const title = document.getElementById("held-title");
const cards = new Map();
let quietUntil = 0, isReading = false, isStale = false;

export const said = {news: () => {}, alert: () => {}};

function calm() {
	quietUntil = performance.now() + QUIET_MS;
}

function isTooEarly() {
	if (performance.now() >= quietUntil)
		return false;
	said.alert("The page had just changed, so that press was not taken as an answer. Look again, and press again.");
	return true;
}

function row(parent, label, ...content) {
	parent.append(element("dt", {}, label), element("dd", {}, ...content));
}

function about(h) {
	const dl = element("dl");
	if (h.argv?.length) {
		row(dl, "Command", words(h.argv));
		if (h.object)
			row(dl, "Program", code(h.object));
	} else if (h.object) {
		row(dl, "Object", code(h.object));
	}
	if (h.asked && h.asked !== h.object)
		row(dl, "As asked", code(h.asked));
	if (h.names)
		row(dl, "Known as", words(h.names, 8));
	if (h.listener)
		row(dl, "Listens there", code(h.listener));
	if (h.object2)
		row(dl, "To", code(h.object2));
	if (h.cwd)
		row(dl, "In", code(h.cwd));
	row(dl, "Process", `${Number(h.pid)} `, code(h.exe ?? "unknown"), ` below ${Number(h.ppid)}`);
	row(dl, "Agent", code(h.agent), " session ", code(h.session));
	if (h.rule || h.policy)
		row(dl, "Rule", code(h.rule ?? "(default)"), " of ", code(h.policy ?? "unknown"));
	if (h.reason)
		row(dl, "Reason", code(h.reason));
	if (h.suggest)
		row(dl, "Instead", code(h.suggest));
	if (h.approvers?.length)
		row(dl, "May answer", words(h.approvers));
	if (h.count > 1)
		row(dl, "Approvals", `${Number(h.approved_by?.length ?? 0)} of ${Number(h.count)} `, words(h.approved_by ?? []));
	if (h.asked_before)
		row(dl, "Asked before", `${Number(h.asked_before)} times in this session`);
	return dl;
}

function finish(card, how) {
	card.state = "ended";
	card.endedAt = performance.now();
	card.root.classList.add("ended");
	for (const control of card.root.querySelectorAll("button, input, select"))
		control.disabled = true;
	card.left.textContent = how;
}

function reopen(card, why) {
	card.state = "open";
	for (const control of card.root.querySelectorAll("button, input, select"))
		control.disabled = false;
	card.more?.check();
	said.alert(why);
	refresh();
}

async function answer(card, word, extra = {}) {
	if (card.state !== "open" || isTooEarly())
		return;
	const hadFocus = card.root.contains(document.activeElement);
	card.state = "sent"; // one answer, whatever is pressed meanwhile
	for (const control of card.root.querySelectorAll("button, input, select"))
		control.disabled = true;
	try {
		if (word !== "deny" || !extra.reason)
			delete extra.reason;
		const reply = await post("api/answer", {session: card.held.session, id: card.held.id, answer: word, ...extra});
		if (reply.missing) {
			reopen(card, `${Number(reply.missing)} more approvals are needed.`);
			return;
		}
		const how = word === "approve" ? "Approved" : "Denied";
		finish(card, reply.grant ? `${how}; grant ${plain(reply.grant)} covers ${plain(reply.covers, 400)}.` : `${how}.`);
		said.alert("");
		said.news(`${word === "approve" ? "Approved" : "Denied"}: ${plain(card.held.op)} ${plain(card.held.object)}`);
	} catch (error) {
		finish(card, `Not answered here: ${plain(error.message, 400)}`);
		said.alert(`Not answered: ${plain(error.message, 400)}`);
	}
	if (hadFocus)
		focusNext(card);
}

function focusNext(card) {
	const open = [...cards.values()].filter((c) => c.state === "open");
	const next = open.find((c) => card.root.compareDocumentPosition(c.root) & Node.DOCUMENT_POSITION_FOLLOWING) ?? open[0];
	(next?.root ?? title).focus();
}

function button(kind, text, label, press) {
	const b = element("button", {type: "button", className: kind, "aria-label": label}, text);
	b.addEventListener("keydown", (event) => {
		if (event.repeat) // held down since before
			event.preventDefault();
	});
	b.addEventListener("click", (event) => {
		if (event.isTrusted)
			press();
	});
	return b;
}

function answers(card) {
	const what = `${plain(card.held.op)} ${plain(card.held.object, 80)}`;
	const reason = element("input", {
		className: "reason", maxLength: 500, autocomplete: "off", placeholder: "why (optional, with deny)",
		"aria-label": `Reason for denying ${what}`,
	});
	// Enter in a text field answers nothing.
	reason.addEventListener("keydown", (event) => {
		if (event.key === "Enter")
			event.preventDefault();
	});
	card.reason = reason;
	return element("div", {className: "answers", role: "group", "aria-label": "Answers to this call"},
		       button("approve", "Approve once", `Approve once: ${what}`, () => answer(card, "approve")),
		       button("deny", "Deny", `Deny: ${what}`, () => answer(card, "deny", {reason: reason.value})),
		       reason);
}

const TERMS = [["once", "once"], ["session", "to the end of this session"], ["10m", "for 10 minutes"], ["1h", "for an hour"],
	       ["12h", "for 12 hours"], ["restart", "until the machine is restarted"], ["always", "always, until it is revoked"]];
const SECONDS = {"10m": 600, "1h": 3600, "12h": 43200};

// What the rule lets anybody give; the session has the last word.
function terms(max) {
	const most = /^(\d+)s$/.exec(max ?? "");
	return TERMS.filter(([word]) => word === "once" || !max || max === "always" || word === max ||
			    (max === "restart" && word !== "always" && word !== "session") ||
			    (most && SECONDS[word] <= Number(most[1])));
}

function select(label, options) {
	const control = element("select", {}, ...options.map(([value, text]) => element("option", {value}, text)));
	return [control, element("p", {}, element("label", {}, label, " ", control))];
}

// More than this call, once: what it covers is said in the session's own words, and it takes a word
// that is typed.
function more(card) {
	const h = card.held, what = `${plain(h.op)} ${plain(h.object, 80)}`;
	const covers = new Map((h.answers ?? []).map((a) => [a.scope, a.covers]));
	const [scope, scopeRow] = select("What", covers.size ? [...covers].map(([s, c]) => [s, plain(c, 200)]) : [["exact", "this call"]]);
	const [term, termRow] = select("For how long", covers.size ? terms(h.max_duration) : [TERMS[0]]);
	const rest = element("input", {type: "checkbox"});
	const word = element("input", {autocomplete: "off", maxLength: 16, autocapitalize: "none", spellcheck: false});
	const sum = element("p", {className: "sum"}), wanted = element("b");
	const body = () => ({scope: scope.value, for: term.value, rest: rest.checked, reason: card.reason.value});
	const approve = button("approve", "Approve all that", `Approve all that: ${what}`, () => answer(card, "approve", body()));
	const deny = button("deny", "Deny all that", `Deny all that: ${what}`, () => answer(card, "deny", body()));
	const check = () => {
		const key = term.value === "once" ? "rest" : term.value;
		wanted.textContent = key;
		scope.disabled = term.value === "once";
		sum.replaceChildren(term.value === "once" ? "Covers this call" : "Covers ",
				    ...(term.value === "once" ? [] : [code(covers.get(scope.value)), `, ${TERMS.find(([t]) => t === term.value)[1]}`]),
				    rest.checked ? ", and whatever else waits under the same rule now" : "", ".");
		approve.disabled = deny.disabled = word.value.trim() !== key || (key === "rest" && !rest.checked);
	};
	if (term.options.length > 1)
		term.selectedIndex = 1;
	for (const control of [scope, term, rest, word])
		control.addEventListener("input", check);
	word.addEventListener("keydown", (event) => {
		if (event.key === "Enter")
			event.preventDefault();
	});
	check();
	card.more = {check};
	return element("details", {className: "more"}, element("summary", {}, "More than this once"),
		       scopeRow, termRow,
		       element("p", {}, element("label", {}, rest, " and answer alike whatever else waits under the same rule")),
		       sum, element("p", {}, element("label", {}, "To do that, type ", wanted, ": ", word)),
		       element("div", {className: "answers", role: "group", "aria-label": "Answers to more than this call"}, approve, deny));
}

function makeCard(h) {
	const id = `held-${h.id}`;
	const card = {held: h, state: "open"};
	card.left = element("p", {className: "dim"});
	card.root = element("li", {className: "card", id, tabIndex: -1, "aria-labelledby": `${id}-title`},
			    element("h3", {id: `${id}-title`}, code(h.op), " ", code(h.argv?.length ? h.argv.join(" ") : h.object)),
			    about(h));
	if (h.truncated)
		card.root.append(element("p", {className: "warn"}, `Not all of it is shown${h.argc ? `: it has ${Number(h.argc)} arguments in all` : ""}. The beginning and the end are.`));
	card.root.append(element("p", {className: "dim"}, "Approve once covers this call as it stands here, and nothing after it."),
			 card.left, answers(card));
	if (h.waiting > 1)
		card.root.append(element("p", {}, `${Number(h.waiting)} equal calls wait: an answer is for all of them.`));
	card.root.append(more(card));
	return card;
}

function showLeft(card) {
	const seconds = Math.max(0, Math.ceil((card.until - performance.now()) / 1000));
	const text = seconds >= 120 ? `${Math.round(seconds / 60)} minutes` : `${seconds} s`;
	card.left.textContent = `Held since ${new Date(card.held.time).toLocaleTimeString()}; denied in ${text} if nobody answers. Id ${plain(card.held.id)}`;
}

function count() {
	return [...cards.values()].filter((c) => c.state === "open").length;
}

function showCount(more) {
	const n = count() + more, badge = document.getElementById("held-count");
	badge.textContent = n;
	badge.classList.toggle("some", n > 0);
	badge.setAttribute("aria-label", n ? `${n} held` : "none held");
	document.title = n ? `(${n}) Holdfast` : "Holdfast";
	document.getElementById("held-empty").hidden = cards.size > 0;
	document.getElementById("held-more").textContent = more ? `${more} more are held: they are shown when these are answered.` : "";
}

// New ones come at the end: nothing that is there moves.
function take(reply) {
	const seen = new Set(), fresh = [];
	for (const h of reply.held) {
		const key = `${h.session}/${h.id}`;
		seen.add(key);
		let card = cards.get(key);
		if (!card) {
			card = makeCard(h);
			cards.set(key, card);
			list.append(card.root);
			fresh.push(card);
			if (list.getBoundingClientRect().bottom - card.root.offsetHeight < innerHeight)
				calm();
		}
		card.until = performance.now() + Number(h.left_ms);
		if (card.state === "open")
			showLeft(card);
	}
	for (const [key, card] of cards)
		if (!seen.has(key) && card.state === "open")
			finish(card, "Ended: answered elsewhere, timed out, or its process is gone.");
	showCount(Number(reply.more));
	if (fresh.length)
		said.news(fresh.length === 1
			  ? `Held: ${plain(fresh[0].held.op)} ${plain(fresh[0].held.object)}. ${count()} held.`
			  : `${fresh.length} more actions are held. ${count()} held.`);
	if (reply.errors.length)
		said.alert(`Not every session answered: ${plain(reply.errors[0].session)}: ${plain(reply.errors[0].message)}`);
}

/** Asks what is held; one question at a time. */
export async function refresh() {
	isStale = true;
	if (isReading)
		return;
	isReading = true;
	try {
		while (isStale) {
			isStale = false;
			take(await get("api/held"));
		}
	} catch (error) {
		said.alert(`What is held cannot be seen: ${plain(error.message, 400)}`);
	} finally {
		isReading = false;
	}
}

function tidy() {
	const isAtList = list.matches(":hover") || list.contains(document.activeElement);
	for (const [key, card] of cards) {
		if (card.state === "open")
			showLeft(card);
		if (card.state !== "ended" || isAtList || performance.now() - card.endedAt < ENDED_MS)
			continue;
		card.root.remove();
		cards.delete(key);
		calm();
		document.getElementById("held-empty").hidden = cards.size > 0;
	}
}

function move(event) {
	if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea"))
		return;
	const roots = [...list.querySelectorAll(":scope > .card:not(.ended)")], step = {j: 1, k: -1}[event.key];
	if (!step || !roots.length)
		return;
	const at = roots.findIndex((root) => root.contains(document.activeElement));
	roots[Math.min(Math.max(at + step, 0), roots.length - 1)].focus();
	event.preventDefault();
}

export function start() {
	// The click that brings the window to the front is not meant for what lies below it.
	addEventListener("focus", calm);
	document.addEventListener("visibilitychange", calm);
	addEventListener("resize", calm);
	document.getElementById("view-held").addEventListener("keydown", move);
	setInterval(tidy, 1000);
	return refresh();
}
