// SPDX-License-Identifier: Apache-2.0
// Answers that hold on, and how to end them.

import {get, post} from "./api.js";
import {code, element, plain} from "./text.js";

const list = document.getElementById("grants-list");

export const said = {alert: () => {}, news: () => {}};

function term(g) {
	if (g.for === "session")
		return "to the end of the session";
	if (g.for === "restart")
		return "until the machine is started anew";
	return g.for === "always" ? "until it is revoked" : `for ${plain(g.for, 20)}`;
}

function entry(g) {
	const revoke = element("button", {type: "button", "aria-label": `Revoke ${plain(g.id, 20)}`}, "Revoke");

	revoke.addEventListener("click", async () => {
		revoke.disabled = true;
		try {
			await post("api/revoke", {id: g.id});
			said.news(`Grant ${plain(g.id, 20)} revoked`);
			await show(true);
		} catch (error) {
			revoke.disabled = false;
			said.alert(`It could not be revoked: ${plain(error.message, 400)}`);
		}
	});
	return element("li", {className: "card"},
		       element("p", {}, element("span", {className: `v ${g.verdict === "deny" ? "deny" : "allow"}`}, g.verdict === "deny" ? "deny" : "allow"), " ", code(g.covers ?? "")),
		       element("p", {className: "dim"}, `${term(g)}; agent `, code(g.agent ?? ""), "; by ", code(g.by ?? ""), `; used ${Number(g.used ?? 0)} times`),
		       element("p", {className: "row"}, revoke));
}

export async function show(isVisible) {
	if (!isVisible)
		return;
	try {
		const reply = await get("api/grants");

		list.replaceChildren(...reply.grants.map(entry));
		if (!reply.grants.length)
			list.append(element("li", {className: "dim"}, "There are none."));
	} catch (error) {
		said.alert(`Grants cannot be seen: ${plain(error.message, 400)}`);
	}
}
