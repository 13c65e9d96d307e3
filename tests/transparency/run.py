#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
make transparency: runs other people's test suites natively and under Holdfast, and compares every outcome.

    tests/transparency/run.py [--suite NAME]... [--as root|user|both] [--dir DIR] [--json FILE] [--list]

Sources come from Debian's archive (the sandboxes of agents: from npm) and are built once, in DIR. A test whose outcome
differs is asked again, natively and in the session, up to AGAIN times each: a difference that the native runs show among
themselves is the test's own. What remains must stand in explained.list, each line with a section of docs/limits.md that
says why. Exit status: 0 nothing else differs, 1 something does, 2 it could not be run.
"""

import argparse
import collections
import fnmatch
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

from suites import SUITES

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOLDFAST = ROOT / "build" / "holdfast"
EXPLAINED = HERE / "explained.list"
LIMITS = ROOT / "docs" / "limits.md"
AGAIN = 2
USER = 65534  # nobody: has no files of its own to lose
SOURCES = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"
MODES = {
    "native": None,
    "audit-only": "audit-only",
    "allow-all": str(HERE / "allow-all.yaml"),
}


def say(text):
    print(text, flush=True)


def cannot(why):
    print(f"transparency: {why}", file=sys.stderr)
    sys.exit(2)


def explanations():
    """Return: [(suite, user, mode, test, section)], the first four as patterns."""
    rows = [[part.strip() for part in line.split("|")] for line in EXPLAINED.read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    sections = {line.lstrip("#").strip() for line in LIMITS.read_text().splitlines() if line.startswith("#")}
    for row in rows:
        if len(row) != 5 or row[4] not in sections:
            cannot(f"{EXPLAINED.name}: {' | '.join(row)}: five columns, the last a section of docs/limits.md")
    return rows


def explanation(rows, *difference):
    """Return: the section that explains a difference (suite, user, mode, test); None: nothing does."""
    # Tests have brackets in their names, so these are no pattern here.
    return next((row[4] for row in rows
                 if all(fnmatch.fnmatchcase(have, want.replace("[", "[[]")) for have, want in zip(difference, row))), None)


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        cannot(f"{' '.join(map(str, command))} failed ({done.returncode}):\n" + done.stdout.decode(errors="replace")[-3000:])
    return done.stdout.decode(errors="replace")


def missing_packages(names):
    def is_there(name):
        out = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name], capture_output=True, check=False)
        return out.stdout == b"installed"
    return [name for name in names if not is_there(name)]


def install(suites):
    missing = missing_packages(sorted({p for s in suites for p in SUITES[s].packages} | {"dpkg-dev"}))
    if not missing:
        return
    if os.geteuid():
        cannot(f"install these first: apt-get install {' '.join(missing)}")
    say(f"Installing {' '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=env)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=env)


def unpack(package, where, target):
    """apt-get source, with lists of our own: the system's are left as they are."""
    lists = where / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    (where / "sources.list").write_text(SOURCES)
    options = ["-o", f"Dir::Etc::sourcelist={where}/sources.list", "-o", "Dir::Etc::sourceparts=-",
               "-o", f"Dir::State::lists={lists}", "-qq"]
    if not any(lists.glob("*Sources*")):
        run(["apt-get", *options, "update"], cwd=where)
    fetched = where / "fetched" / package
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir(parents=True)
    run(["apt-get", *options, "source", package], cwd=fetched)
    tree = next(path for path in fetched.iterdir() if path.is_dir())
    tree.rename(target)


def prepare(name, where):
    """The work directory of a suite, built. A stamp says that it is complete."""
    suite = SUITES[name]
    work = where / name
    if (work / ".built").exists():
        return work
    shutil.rmtree(work, ignore_errors=True)
    say(f"{name}: preparing")
    if suite.source:
        unpack(suite.source, where, work)
    else:
        work.mkdir(parents=True)
    suite(work).prepare()
    (work / ".built").touch()
    return work


def as_user(work):
    """A command prefix for an ordinary user who owns the work directory."""
    if os.geteuid() == 0:
        run(["chown", "-R", f"{USER}:{USER}", str(work)])
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all"]
    return []


def cpu_seconds():
    """Of all children that ended, with theirs. Hours on the wall say little on a machine that others use, too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_run(name, work, mode, who, only=()):
    """Return: {test: outcome}, seconds of CPU: of the tests, and of Holdfast with them."""
    prefix = as_user(work) if who == "user" else []
    if who == "root":
        run(["chown", "-R", "0:0", str(work)])
    out = work / f"result-{mode}.json"
    out.unlink(missing_ok=True)
    log = work / "log"
    log.mkdir(exist_ok=True)
    if prefix:
        os.chown(log, USER, USER)
    command = ["/usr/bin/python3", str(HERE / "suites.py"), name, str(work), str(out), *only]
    if MODES[mode]:
        command = [str(HOLDFAST), "run", "--policy", MODES[mode], "--project", str(work), "--log", str(log), "--", *command]
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TERM", "PJDFSTEST")}
    env |= {"HOME": str(work), "LC_ALL": "C.UTF-8", "XDG_STATE_HOME": str(work / "log"), "XDG_RUNTIME_DIR": ""}
    env.pop("XDG_RUNTIME_DIR")
    before = cpu_seconds()
    with open(work / f"output-{mode}.txt", "wb") as output:
        subprocess.run([*prefix, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, check=False,
                       timeout=60 * (5 + 10 * SUITES[name].minutes))
    seconds = cpu_seconds() - before
    shutil.rmtree(log, ignore_errors=True)
    if not out.exists():
        cannot(f"{name} under {mode} gave no result; see {work}/output-{mode}.txt")
    return json.loads(out.read_text()), seconds


def differing(a, b):
    return sorted(t for t in a.keys() | b.keys() if a.get(t) != b.get(t))


def compare(name, work, mode, who, native):
    """Return: outcomes under @mode, seconds of CPU, {test: [native outcomes, outcomes under mode]} that really differ."""
    results, seconds = one_run(name, work, mode, who)
    suspects = differing(native, results)
    seen = {t: (collections.Counter([native.get(t)]), collections.Counter([results.get(t)])) for t in suspects}
    for _ in range(AGAIN if suspects else 0):
        again_native, _ = one_run(name, work, "native", who, suspects)
        again_mode, _ = one_run(name, work, mode, who, suspects)
        for t in suspects:
            seen[t][0][again_native.get(t)] += 1
            seen[t][1][again_mode.get(t)] += 1
        # What came out equal at least once both ways is not Holdfast's doing alone.
        suspects = [t for t in suspects if not set(seen[t][0]) & set(seen[t][1])]
        if not suspects:
            break
    return results, seconds, {t: [dict(seen[t][0]), dict(seen[t][1])] for t in suspects}


def good(results):
    """How many passed. What a test wrote before its status is a part of its outcome."""
    def passed(outcome):
        text = str(outcome).lower()
        return "skip" not in text and (text.split(" ")[0] in ("ok", "pass", "0") or text.endswith("status 0\n"))
    return sum(passed(outcome) for outcome in results.values())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--suite", action="append", choices=sorted(SUITES))
    parser.add_argument("--as", dest="who", choices=["root", "user", "both"], default="user")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("/var/tmp/holdfast-transparency"))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for suite in SUITES.values():
            say(f"{suite.name:12} about {suite.minutes} min a run: {' '.join((suite.__doc__ or suite.name).split())}")
        return 0
    if options.who != "user" and os.geteuid():
        cannot("only root can run as root; leave out --as, or use sudo")
    names = options.suite or [n for n in SUITES if n != "pjdfstest" or SUITES[n].tree]
    explained = explanations()
    options.dir.mkdir(parents=True, exist_ok=True)
    options.dir.chmod(0o755)
    install(names)
    rows, everything = [], []
    for name in names:
        work = prepare(name, options.dir)
        for who in ["user", "root"] if options.who == "both" else [options.who]:
            if who not in SUITES[name].users:
                continue
            native, native_s = one_run(name, work, "native", who)
            rows.append((name, who, "native", len(native), good(native), "", "", native_s))
            for mode in list(MODES)[1:]:
                results, seconds, different = compare(name, work, mode, who, native)
                why = {test: explanation(explained, name, who, mode, test) for test in different}
                rows.append((name, who, mode, len(results), good(results), len(different),
                             sum(1 for section in why.values() if not section), seconds))
                for test, (there, here) in different.items():
                    everything.append({"suite": name, "as": who, "mode": mode, "test": test, "natively": there, "here": here,
                                       "explained": why[test]})
                    say(f"  differs: {name} ({who}, {mode}): {test}: natively {there}, here {here}"
                        + (f"; explained: {why[test]}" if why[test] else ""))
    say(f"\n{time.strftime('%Y-%m-%d')}, Linux {os.uname().release}, {run([HOLDFAST, '--version']).splitlines()[0]}\n")
    say("| suite | as | mode | tests | passed | differences | unexplained | CPU s |\n|---|---|---|---:|---:|---:|---:|---:|")
    for row in rows:
        say("| {} | {} | {} | {} | {} | {} | {} | {:.0f} |".format(*row))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "differences": everything}, indent=1))
    unexplained = sum(1 for e in everything if not e["explained"])
    say(f"\n{len(everything)} differences, {unexplained} of them unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
