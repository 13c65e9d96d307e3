# SPDX-License-Identifier: Apache-2.0
"""The results as text: what docs/performance.md and README.md say between their marks, and the plots. Made of the JSON
alone, so that tools/check-docs can see that no number on a page is another one."""

import json
import pathlib
import re

import svg
from contenders import FEW, FLOOR, NET, READS, SAYS
from growth import CURVES

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT, README = ROOT / "docs/performance.md", ROOT / "README.md"
RAW, PLOTS = ROOT / "docs/performance.json", ROOT / "docs/plots"
BEGIN, END = "<!-- tools/bench --document: begin -->\n", "<!-- tools/bench --document: end -->\n"
NOISE_MAX = 1.3  # upper over lower quartile of the bare runs; above it other programs were at work


def cell(s, digits=2):
    if not s:
        return ""
    if s["n"] < 2:
        return f"{s['median']:.{digits}f}"
    return f"{s['median']:.{digits}f} ({s['low']:.{digits}f}..{s['high']:.{digits}f})"


def table(header, rows):
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join(["---"] + ["---:"] * (len(header) - 1)) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def median(values, who):
    return f"{values[who]['median']:.2f}" if who in values else "-"


def overview(work):
    """One row for each contender, one column for each workload."""
    order = [w for w in SAYS if any(w in x["over_native"] for x in work.values())]
    for key, what in (("over_native", "Time on the clock"), ("cpu_over_native", "CPU time of all processes")):
        yield f"**{what}, over native (medians; spread below)**"
        yield ""
        yield from table(["contender", *work],
                         [[who, *(median(x[key], who) for x in work.values())] for who in order])
    yield "What each of them does about a single action:"
    yield ""
    yield from table(["contender", "decides", "records", "holds for a person"],
                     [[who, *SAYS[who]] for who in order])


def details(work):
    for name, w in work.items():
        yield f"**{name}**: {w['title']}; native {w['native_seconds']['median'] * 1000:.0f} ms"
        yield ""
        rows = [[who, cell(s), cell(w["cpu_over_native"][who]), cell(w["over_floor"].get(who)),
                 cell(w["cpu_over_floor"].get(who)), str(s["n"])] for who, s in w["over_native"].items()]
        yield from table(["contender", "clock over native", "CPU over native", "clock over the floor", "CPU over the floor",
                          "runs"], rows)
        for who, why in w["failed"].items():
            yield f"- {who}: {why}"
        if w["failed"]:
            yield ""


def startup(found):
    yield "**Start-up**: milliseconds that `true` takes longer than bare"
    yield ""
    yield from table(["contender", "ms, clock", "ms, CPU"],
                     [[who, cell(s["ms"], 1), cell(s["cpu_ms"], 1)] for who, s in found.items()])


def latency(found):
    yield "**One open** of a small file that is in the cache, microseconds, as the program sees it"
    yield ""
    yield from table(["", "mean", "median", "99th percentile"],
                     [[who, *(cell(s[k]) for k in ("mean_us", "p50_us", "p99_us"))] for who, s in found.items()])


def memory(found):
    yield "**Memory**, idle, kB (PSS: what is shared with others counts in part)"
    yield ""
    yield from table(["process", "RSS", "PSS"], [[who, str(m.get("rss", "-")), str(m.get("pss", "-"))]
                                              for who, m in found.items()])


def tops(found):
    yield ("**Memory at the tops of the curves**, kB, PSS (RSS where that cannot be had): under a policy that names a host as well, "
           "beside a broker; of several sessions the sum")
    yield ""
    yield from table(["", "supervisor", "helper", "broker"],
                     [[what, *(f"{m[who].get('pss', m[who].get('rss', 0)):,}" if m.get(who) else "-"
                               for who in ("supervisor", "helper", "broker"))] for what, m in found.items()])


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def growth(found):
    for name, curve in found.items():
        title, x_label, _, _, series = CURVES[name]
        yield f"**{title}**"
        yield ""
        yield f"![{title}](plots/growth-{name}.svg)"
        yield ""
        labels = dict(series)
        for v in curve["verdicts"]:
            yield f"- {'' if v['good'] else '**too steep**: '}{labels[v['key']]}: {v['words']}"
        yield ""
        yield from table([x_label, *labels.values()],
                         [[f"{p['x']:,}", *(short(p[key]) for key in labels)] for p in curve["points"]])


def plots(results):
    for name, curve in results.get("growth", {}).items():
        title, x_label, _, _, series = CURVES[name]
        xs = [p["x"] for p in curve["points"]]
        lines = [(label, [max(p[key], 1e-3) for p in curve["points"]]) for key, label in series]
        yield PLOTS / f"growth-{name}.svg", "\n".join(svg.plot(title, x_label, xs, lines)) + "\n"


def parts(found):
    names = [p for p in next(iter(found["ns"].values())) if p != "all"]
    for key, what in (("ns", "nanoseconds"), ("instructions", "instructions of user space (callgrind)")):
        yield f"**A receiver's work on one call, by its parts**: {what}"
        yield ""
        yield from table(["call", *names, "all"],
                         [[case, *(str(values.get(p, "")) for p in names), str(values["all"])]
                          for case, values in found[key].items()])


def raw(found):
    for program, lines in found.items():
        yield f"**{program}**"
        yield ""
        yield from (f"    {line}" for line in lines)
        yield ""


def soak(s):
    yield (f"**{s['actions']:,} actions in {s['minutes']:g} minutes**: the supervisor held {s['kb_early']:,} kB and "
           f"{s['fds_early']} descriptors after a tenth of them, {s['kb_end']:,} kB and {s['fds_end']} at the end"
           + ("." if s["good"] else ": **it grew**."))
    yield ""


def find_aims(r):
    """(what, value, limit, unit) for each aim that was measured; a negative limit is the least."""
    work = r.get("workloads", {})

    def ratio(name, key, who, limit, what):
        value = work.get(name, {}).get(key, {}).get(who)
        if value:
            yield f"{name}, {who}, {what}", value["median"], limit, "x"

    yield from ratio("grep", "cpu_over_floor", READS, 1.15, f"CPU over the {FLOOR}")
    # Its start has an aim of its own, and takes longer than a grep of few files.
    native, start = work.get("grep", {}).get("native_cpu_seconds"), r.get("start_up", {}).get(NET)
    for what, value, limit, unit in ratio("grep", "cpu_over_native", NET, 1.15, "CPU over native, without the start"):
        if native and start:
            yield what, value - start["cpu_ms"]["median"] / 1000 / native["median"], limit, unit
    for name in ("build", "git", "python", "unittest", "npm"):
        yield from ratio(name, "cpu_over_native", FEW, 1.05, "CPU over native")
        yield from ratio(name, "cpu_over_native", READS, 1.25, "CPU over native")
    start = r.get("start_up", {})
    if FEW in start:
        yield f"start-up, {FEW}, over native", start[FEW]["ms"]["median"], 5, "ms"
        for peer in ("bubblewrap", "firejail", "gVisor", "sandbox-runtime", "codex sandbox"):
            if peer in start:
                yield f"start-up, {FEW}, over that of {peer}", start[FEW]["ms"]["median"] / start[peer]["ms"]["median"], 1, "x"
    fast = r.get("latency", {})
    if FLOOR in fast and READS in fast:
        for key, limit in (("p50_us", 1.2), ("p99_us", 5)):
            yield f"one open, {key[:3]}, over the {FLOOR}", fast[READS][key]["median"] - fast[FLOOR][key]["median"], limit, "us"
    for who, m in r.get("memory", {}).items():
        if who.startswith("supervisor"):
            yield f"memory, {who}", m.get("pss", m["rss"]) / 1024, 6, "MB"
    if r.get("resolve_us"):
        yield "a question to the DNS through the helper, over one to the server", r["resolve_us"]["median"], 150, "us"
    if r.get("connect_us"):
        yield "a connect to a learned name, over one by a rule on its address", r["connect_us"]["more"]["median"], 1.2, "us"
    for line in r.get("raw", {}).get("bench_names", []):
        if found := re.match(r"10000 long names +memory ([\d.]+) MB", line):
            yield "10,000 learned names", float(found[1]), 4, "MB"
    yield from find_through(r)


# What tools/bench-through prints, and the least of the bare speed that it may be. By a rule on the name alone nothing is in
# the way; what is missing there is the machine's noise.
THROUGH = re.compile(r"through_(alone|shared)_(https?)_(down|up)_by_(name|sni) .* ([\d.]+) % of bare")
THROUGH_MIN = {"name": -95, "sni": -80}
HOW = {"alone": "two processors for it alone", "shared": "all that the machine runs beside it"}


def find_through(r):
    for line in r.get("raw", {}).get("bench-through", []):
        if found := THROUGH.match(line):
            how, scheme, way, rule, part = found.groups()
            yield (f"a large transfer by {scheme}, {way}, {'`verify: sni`' if rule == 'sni' else 'a rule on its name'}, {HOW[how]}, "
                   "of the bare speed", float(part), THROUGH_MIN[rule], "%")


def aims(r):
    rows = [[what, f"{value:.2f} {unit}", f"at {'most' if limit >= 0 else 'least'} {abs(limit)} {unit}",
             "met" if (value <= limit if limit >= 0 else value >= -limit) else "**not met**"]
            for what, value, limit, unit in find_aims(r)]
    if rows:
        yield "**Aims**"
        yield ""
        yield from table(["aim", "measured", "limit", ""], rows)


def machine(r):
    """One line for each run that a section is of."""
    seen = {}
    for section, m in r["runs"].items():
        seen.setdefault(json.dumps(m, sort_keys=True), []).append(section)
    for text, sections in seen.items():
        m = json.loads(text)
        which = "" if len(seen) == 1 else f" ({', '.join(sections)})"
        yield (f"Commit {m['commit']}, {m['time']}: {m['cpus']} x {m['cpu']}, Linux {m['kernel']}, load {m['load']} at the "
               f"start, {m['mode']} run, as {m['user']}.{which}")
        yield ""


def noisy(work):
    return [n for n, w in work.items() if w["native_seconds"]["high"] > NOISE_MAX * w["native_seconds"]["low"]]


def render(r):
    work = r.get("workloads", {})
    yield from machine(r)
    if noisy(work):
        yield (f"**The machine was busy**: bare runs of {', '.join(noisy(work))} differ by more than {NOISE_MAX} x "
               "between the quartiles. CPU time says more than the clock.")
        yield ""
    yield from aims(r)
    if work:
        yield from overview(work)
    for name, why in r.get("missing", {}).items():
        yield f"- {name} was not measured: {why}"
    yield ""
    for key, fn in (("start_up", startup), ("latency", latency), ("memory", memory), ("tops", tops), ("soak", soak)):
        if r.get(key):
            yield from fn(r[key])
    if r.get("resolve_us"):
        yield (f"**A question to the DNS**: {cell(r['resolve_us'], 0)} us longer through the helper than to the server, on "
               "one socket.")
        yield ""
    if r.get("connect_us"):
        yield (f"**A connect**: {cell(r['connect_us']['address'], 1)} us under a rule on the address, {cell(r['connect_us']['more'], 2)} us "
               "more under one on a name that was learned for it (no program of the kernel's decides).")
        yield ""
    if r.get("growth"):
        yield "### Growth"
        yield ""
        yield from growth(r["growth"])
    if r.get("parts"):
        yield "### Parts of a decision"
        yield ""
        yield from parts(r["parts"])
    if work:
        yield "### Each workload"
        yield ""
        yield from details(work)
    if r.get("raw"):
        yield "### Single parts"
        yield ""
        yield from raw(r["raw"])


def render_readme(r):
    start, work = r.get("start_up", {}), r.get("workloads", {})
    if noisy(work):
        yield "The last measurement was on a busy machine: it is no summary."
        yield ""
        return
    rows = []
    for who in ("native", FLOOR, FEW, READS, "bubblewrap", "sandbox-runtime", "codex sandbox", "gVisor", "strace -f"):
        if not any(who in w["over_native"] for w in work.values()) and who != "native":
            continue
        rows.append([who, "" if who == "native" else f"{start[who]['ms']['median']:.1f}" if who in start else "-",
                     *("1" if who == "native" else median(work.get(n, {}).get("over_native", {}), who)
                       for n in ("build", "git", "npm"))])
    yield from table(["", "start, ms", "make -j2", "git clone", "npm install"], rows)


def marked(path, text):
    """@path with @text between its marks; None when it lacks them."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    return head + begin + "\n" + text + end + tail if begin and end else None


def targets(results):
    """(file, what has to be in it) of everything that is made of the results."""
    yield DOCUMENT, marked(DOCUMENT, "\n".join(render(results)) + "\n")
    yield README, marked(README, "\n".join(render_readme(results)) + "\n")
    yield from plots(results)


def trim(value):
    """Four digits say all that a measurement says."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {k: trim(v) for k, v in value.items()}
    return [trim(v) for v in value] if isinstance(value, list) else value


def problems():
    """What is on a page and not made of the JSON that lies beside it."""
    if not RAW.exists():
        yield f"{RAW.relative_to(ROOT)} is missing: tools/bench --document"
        return
    for path, text in targets(json.loads(RAW.read_text())):
        name = path.relative_to(ROOT)
        if text is None:
            yield f"{name}: lacks the marks between which tools/bench --document writes"
        elif not path.exists() or path.read_text() != text:
            yield f"{name}: differs from what docs/performance.json says: tools/bench --render"
