// SPDX-License-Identifier: Apache-2.0
// Talking to the server: relative addresses only, so everything stays below the page's own path.

let csrf = "";

async function read(response) {
	let body = null;
	try {
		body = await response.json();
	} catch {
		// said below
	}
	if (!response.ok)
		throw new Error(body?.error ?? `the server said ${response.status}`);
	return body;
}

export async function get(path, query = {}) {
	const filled = Object.entries(query).filter(([, value]) => value !== "");
	const search = new URLSearchParams(filled).toString();
	return read(await fetch(search ? `${path}?${search}` : path, {cache: "no-store", redirect: "error"}));
}

export async function post(path, body) {
	return read(await fetch(path, {
		method: "POST", redirect: "error", body: JSON.stringify(body),
		headers: {"Content-Type": "application/json", "X-Holdfast-CSRF": csrf},
	}));
}

export async function start() {
	const state = await get("api/state");
	csrf = state.csrf;
	return state;
}

/** Calls @on[event](data) for each event; @on.open() and @on.error() for the connection. */
export function listen(on) {
	const source = new EventSource("api/events");
	source.onopen = () => on.open();
	source.onerror = () => on.error();
	for (const name of Object.keys(on))
		if (name !== "open" && name !== "error")
			source.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
	return source;
}
