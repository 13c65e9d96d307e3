// SPDX-License-Identifier: Apache-2.0
// What agents write, made visible. Strings come as the log has them: valid UTF-8 as it is, a byte
// that is not as "\xNN". Nothing here ever becomes markup: only text nodes are made.

// What does not show, or changes how other text shows: controls, bidirectional and invisible
// characters, separators, private and unassigned ones, marks piled on what is before them.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{M}]|(?! )\p{Zs}/u;
const PART = /\\x([0-9a-fA-F]{2})| {4,}|[^]/gu;
const NAMES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"};
const HEAD = 2400, TAIL = 1200;

function span(kind, text) {
	const e = document.createElement("span");
	e.className = kind;
	e.textContent = text;
	return e;
}

function addVisible(parent, text) {
	let plain = "";
	const flush = () => {
		if (plain)
			parent.append(plain);
		plain = "";
	};
	for (const [part, byte] of text.matchAll(PART)) {
		if (byte && byte.toLowerCase() === "5c") {
			plain += "\\";
			continue;
		}
		if (!byte && part.length === 1 && part >= " " && part <= "~") {
			plain += part;
			continue;
		}
		flush();
		if (byte)
			parent.append(span("esc", part));
		else if (part[0] === " ") // padding that would push the rest out of sight
			parent.append(span("esc", `[${part.length} spaces]`));
		else if (HIDDEN.test(part))
			parent.append(span("esc", NAMES[part] ?? `\\u{${part.codePointAt(0).toString(16)}}`));
		else // letters that may look like others
			parent.append(span("odd", part));
	}
	flush();
}

/** The text in a <code>, at most some thousand characters of it: head and tail, either of which may
 * hold the danger. */
export function code(text) {
	const e = document.createElement("code");
	text = String(text ?? "");
	if (text.length <= HEAD + TAIL) {
		addVisible(e, text);
	} else {
		addVisible(e, text.slice(0, HEAD));
		e.append(span("esc", `[${text.length - HEAD - TAIL} characters are not shown]`));
		addVisible(e, text.slice(-TAIL));
	}
	e.dir = "ltr";
	return e;
}

/** Words that stay words: each in its own <code>, so that a blank inside one shows. */
export function words(list, max = 64) {
	const e = document.createElement("span");
	e.className = "words";
	const head = list.length > max ? list.slice(0, max - 8) : list;
	for (const word of head)
		e.append(code(word === "" ? "''" : word), " ");
	if (head !== list) {
		e.append(span("warn", `[${list.length - max} arguments are not shown]`), " ");
		for (const word of list.slice(-8))
			e.append(code(word), " ");
	}
	return e;
}

/** The same as a short line of plain text, for what is read out. */
export function plain(text, max = 160) {
	const e = code(text);
	return e.textContent.length > max ? e.textContent.slice(0, max) + " and more" : e.textContent;
}

export function element(name, properties = {}, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(properties))
		if (key.includes("-") || key === "role")
			e.setAttribute(key, value);
		else
			e[key] = value;
	e.append(...children);
	return e;
}

const time = new Intl.DateTimeFormat(undefined, {dateStyle: "short", timeStyle: "medium"});

/** A time of the log, in the reader's own form. */
export function when(text) {
	const date = new Date(text);
	return element("time", {dateTime: isNaN(date) ? "" : date.toISOString()},
		       isNaN(date) ? "unknown time" : time.format(date));
}

export const VERDICTS = new Set(["allow", "flag", "ask", "deny"]);

/** One record of the log as a list's entry. */
export function record(r) {
	const verdict = VERDICTS.has(r.verdict) ? r.verdict : "";
	const e = element("li", {}, when(r.time), " ",
			  element("span", {className: `v ${verdict}`}, verdict || String(r.event ?? "").replace(/[^a-z_]/g, "")), " ");
	if (r.op)
		e.append(code(r.op), " ");
	if (r.argv?.length)
		e.append(words(r.argv, 16));
	else if (r.object)
		e.append(code(r.object));
	if (r.object2)
		e.append(" to ", code(r.object2));
	if (r.note)
		e.append(code(r.note));
	if (r.rule)
		e.append(element("span", {className: "dim"}, " rule ", code(r.rule)));
	if (r.reason)
		e.append(element("span", {className: "dim"}, " ", code(r.reason)));
	if (r.approver)
		e.append(element("span", {className: "dim"}, " answered by ", code(r.approver)));
	e.append(element("span", {className: "dim"}, " ", code(r.agent ?? ""), ` process ${Number(r.pid)}, record ${Number(r.seq)}`));
	return e;
}
