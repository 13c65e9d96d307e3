#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_html.py FILE [TEXT...]: is the report a well-formed page that needs nothing but itself and runs
nothing? Each TEXT must be in what it shows, as text. Prints what it shows."""

import html.parser
import re
import sys

VOID = {"meta", "rect", "line", "polyline", "br"}
TAGS = VOID | {
    "html", "head", "title", "style", "body", "header", "main", "footer", "nav", "section", "h1", "h2",
    "h3", "a", "p", "ul", "li", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "div", "span", "b", "strong", "code", "svg", "text", "details", "summary"}
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "scope", "role",
    "aria-label", "aria-hidden", "viewbox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "points",
    "text-anchor"}
# Controls, bidirectional and invisible characters must be shown by their numbers.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.ids, self.links, self.csp = [], [], set(), set(), None
        self.heads, self.tables = 0, 0

    def fail(self, what):
        sys.exit(f"line {self.getpos()[0]}: {what}")

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            self.fail(f"<{tag}>")
        names = [name for name, _ in attrs]
        for name, value in attrs:
            if name not in ATTRIBUTES or names.count(name) > 1:
                self.fail(f"<{tag} {name}={value!r}>")
            if name == "id":
                self.ids.add(value)
            if name == "href":
                self.links.add(value)
        given = dict(attrs)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.csp = given["content"]
        if tag == "svg" and not ("aria-label" in given or "aria-hidden" in given):
            self.fail("a picture without a word on it")
        self.tables += tag == "table"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.fail(f"</{tag}> closes something else")

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            if re.search(r"url\(|@import|expression|</", data):
                self.fail("the style sheet refers to something")
            return
        if HIDDEN.search(data):
            self.fail(f"a character that does not show: {data!r}")
        self.text.append(data)

    def handle_comment(self, data):
        self.fail("a comment")

    def handle_pi(self, data):
        self.fail("a processing instruction")


def main():
    with open(sys.argv[1], encoding="utf-8", errors="strict") as f:
        source = f.read()
    page = Page()
    page.feed(source)
    page.close()
    if page.open:
        sys.exit(f"not closed: {page.open}")
    if not page.csp or not page.csp.startswith("default-src 'none'") or "script" in page.csp:
        sys.exit(f"content security policy: {page.csp}")
    for link in page.links:
        if not link.startswith("#") or link[1:] not in page.ids:
            sys.exit(f"a link to {link}")
    if re.search(r"<[^>]*\b(?:src|on\w+|style|href=\"?[^#\"])\s*=", source):
        sys.exit("an attribute that loads or runs something")
    if not page.tables:
        sys.exit("no table beside the plots")
    shown = "".join(page.text)
    for text in sys.argv[2:]:
        if text not in shown:
            sys.exit(f"it does not show {text!r}")
    print(shown)


main()
