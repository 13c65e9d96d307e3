// SPDX-License-Identifier: Apache-2.0
// Decisions as they come, the newest first.

import {element, plain, record} from "./text.js";

const ROWS_MAX = 300;
const list = document.getElementById("live-list");
const filter = document.getElementById("live-filter");
const pause = document.getElementById("live-pause");
let isPaused = false;

function fits(row) {
	const verdict = row.dataset.verdict;
	return filter.value === "all" || verdict === "deny" || verdict === "" ||
	       (filter.value === "notable" && verdict !== "allow");
}

function add(row, verdict) {
	row.dataset.verdict = verdict;
	row.hidden = !fits(row);
	list.prepend(row);
	while (list.childElementCount > ROWS_MAX)
		list.lastElementChild.remove();
}

export function decision(r) {
	if (!isPaused)
		add(record(r), String(r.verdict ?? ""));
}

export function skipped(n, session) {
	if (!isPaused)
		add(element("li", {className: "dim"}, `${Number(n)} records of ${plain(session)} came too fast to be shown; they are in the log`), "");
}

export function start() {
	filter.addEventListener("change", () => {
		for (const row of list.children)
			row.hidden = !fits(row);
	});
	pause.addEventListener("click", () => {
		isPaused = !isPaused;
		pause.setAttribute("aria-pressed", String(isPaused));
	});
	document.getElementById("live-form").addEventListener("submit", (event) => event.preventDefault());
}
