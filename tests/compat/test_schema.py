#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/policy.schema.json against the loader of native policies. Speaks TAP.

What an editor accepts with the schema, `holdfast policy check` must accept, and the other way round,
as far as a schema can say it: that a pattern compiles or a rule can match is the loader's alone.
"""

import json
import re
import subprocess
import tempfile

import jsonschema
import yaml

from compat import BUILD, ROOT, Tap

HEAD = "version: 1\nname: t\n"
ANY = HEAD + "default: allow\n"

# Tables of keys in the loader, and where the schema has them.
TABLES = {
    "top_fields": "#",
    "fragment_fields": "#/$defs/fragment",
    "default_fields": "#/$defs/defaults",
    "rule_fields": "#/$defs/rule",
    "match_fields": "#/$defs/match",
    "ask_fields": "#/$defs/ask",
    "examples_fields": "#/$defs/examples",
    "applies_fields": "#/$defs/applies_to",
    "budget_fields": "#/$defs/budget",
    "rate_fields": "#/$defs/rate",
    "loop_fields": "#/$defs/loop",
    "denials_fields": "#/$defs/denials",
    "questions_fields": "#/$defs/questions",
    "log_fields": "#/$defs/log",
    "redaction_fields": "#/$defs/redaction_map",
}


def rule(text):
    return ANY + "rules:\n- {name: r, match: {tool: git}, action: deny, " + text + "}\n"


def ask(text):
    return ANY + "rules:\n- {name: r, match: {tool: git}, action: ask, " + text + "}\n"


def match(text):
    return ANY + "rules:\n- {name: r, action: deny, match: {" + text + "}}\n"


GOOD = [
    ANY,
    HEAD + "default: {tool: allow, path: ask, read: flag, write: deny, network: deny, connect: ask,\n"
           "  send: ask, bind: deny, listen: deny, unix: allow}\n",
    ANY + "description: text\nmode: audit\nlog_reads: true\ngrant: all\n",
    ANY + "mode: enforce\nlog_reads: false\ngrant: [ptrace, io_uring]\n",
    ANY + "description: 7\n",
    ANY + "log: {reads: true, accepts: true, sync: always, on_failure: stop, builtin_redactions: false}\n",
    ANY + "log: {redact: 'geheim-\\d+'}\n", ANY + "log: {sync: none, redact: [abc, {pattern: x}]}\n",
    ANY + "log: {sync: second, redact: [{pattern: x, name: a.b, in: [argv, object, asked, cwd]}]}\n",
    ANY + "log: {on_failure: deny, redact: {pattern: 12, in: address}}\n",
    "version: 1\nname: 7.5\ndefault: deny\n",
    ANY + "vars: {a: b, _x1: 7, c: '${home}/${a}'}\n",
    ANY + "applies_to: {agents: 'c*', tags: [a, b], tiers: prod}\n",
    ANY + "budget: {max_spend: 5}\n",
    ANY + "budget: {max_spend: '$5.00', soft_limit: 0.8, account: team}\n",
    ANY + "budget: {max_spend: 1, account: " + 64 * "a" + "}\n",
    ANY + "budget: {max_spend: 1e-3, max_execs: 1, max_connects: 2, max_bytes_written: 10M,\n"
          "  max_seconds: 60, on_limit: stop}\n",
    ANY + "budget: {max_bytes_written: 4096, on_limit: ask}\n",
    ANY + "budget: {rate: {per: minute, execs: 10}, on_limit: deny}\n",
    ANY + "budget: {rate: [{per: second, writes: 1}, {per: hour, connects: 2, execs: 3}]}\n",
    ANY + "budget: {loop: {repeats: 2}}\n", ANY + "budget: {loop: {repeats: 1000}}\n",
    ANY + "budget: {loop: {repeats: 10, window: 2m}}\n",
    ANY + "questions: {records: A}\n", ANY + "questions: {records: [A, TYPE65280, SVCB], except: '*.x.org'}\n",
    ANY + "questions: {max_name: 253, max_label: 63, max_entropy: 4.5, per_minute: 1, except: [a.org]}\n",
    rule("reason: x, suggest: y, priority: -5, flag: false"),
    rule("cost: 0.05"), rule("cost: '$1'"), rule("cost: 0"),
    ANY + "rules:\n- {name: r, match: {tool: git}, action: allow, flag: true}\n",
    ask("ask: {timeout: 30s}"), ask("ask: {timeout: 86400, approvers: root}"),
    ask("ask: {approvers: [root, '@adm', a.b-c]}"),
    rule("examples: {match: [git push], not_match: [hg]}"),
    rule("examples: {match: [{kind: exec, argv: [git]}]}"),
    rule("unless: {args_pattern: x}"), rule("unless: [{args_pattern: x}, {cwd: /x}]"),
    match("tool: [git, 'g*', '~^g', /usr/bin/**], args_pattern: [a, b], op: exec"),
    match("argv: [git, [push, fetch], 7]"),
    match("path: '~/x', op: [read, change]"), match("path: ['**/x', /y]"),
    match("domain: '*.example.com', port: 443"), match("domain: [a.org, b.org], port: [80, 8000-8999]"),
    match("domain: a.org, verify: sni"), match("domain: a.org, verify: outer-sni, port: 443"),
    ANY + "rules:\n- {name: r, match: {domain: a.org, verify: sni}, action: allow, max_bytes_sent: 10M}\n",
    ANY + "rules:\n- {name: r, match: {domain: a.org, verify: sni}, action: allow, max_bytes_sent: 1K, "
    "max_bytes_sent_per: domain}\n",
    match("path: /run/x, listener: [x, '/usr/**'], listener_user: [root, self, 107]"), match("listener_user: 0"),
    match("domain: a.org, http_method: GET"), match("domain: a.org, http_method: [GET, M-SEARCH], http_path: [/a, '/b/**']"),
    match("address: 10.0.0.0/8, protocol: [tcp, udp]"), match("cidr: ['::1', 1.2.3.4], port: 0"),
    match("protocol: unix"), match("tool: git, agent: 'c*', cwd: /x/**, parent: bash, time: 'mon-fri 09:00-17:30'"),
] + [match(f"tool: '*', op: {op}") for op in
     "exec read write create truncate delete rename link symlink mkdir mknod chmod chown xattr times "
     "connect send bind listen change".split()] + [ANY + f"grant: {g}\n" for g in
     "io_uring ptrace bpf perf mount module handle pidfd keyring userfaultfd raw_socket foreign_abi "
     "admin terminal namespaces processes all".split()] + [ANY + f"keep_capabilities: {c}\n" for c in
     ("net_admin", "CAP_SYS_NICE", "[chown, Cap_Fowner]")] + [ANY + f"require: {r}\n" for r in
     ("landlock", "bpf-lsm", "[bpf-net, sight]")]

BAD = [
    "[]", "a", "{}", "version: 1\n", "version: 1\nname: t\n", "name: t\ndefault: deny\n",
    "version: 2\nname: t\ndefault: deny\n", "version: '1'\nname: t\ndefault: deny\n",
    "version: true\nname: t\ndefault: deny\n",
    "version: 1\nname: a b\ndefault: deny\n", "version: 1\nname: yes\ndefault: deny\n",
    "version: 1\nname: ''\ndefault: deny\n", "version: 1\nname: [t]\ndefault: deny\n",
    "version: 1\nname: " + "x" * 129 + "\ndefault: deny\n",
    ANY + "defualt: deny\n", HEAD + "default: no\n", HEAD + "default: approve\n", HEAD + "default: {}\n",
    HEAD + "default: [deny]\n", HEAD + "default: {raed: deny}\n", HEAD + "default: {read: maybe}\n",
    HEAD + "default:\n", ANY + "mode: warn\n", ANY + "mode: [audit]\n", ANY + "log_reads: 1\n",
    ANY + "log_reads: 'true'\n", ANY + "require: []\n", ANY + "require: [bpf]\n", ANY + "grant: []\n", ANY + "grant: [nope]\n", ANY + "grant: {ptrace: true}\n",
    ANY + "log: {}\n", ANY + "log: 5\n", ANY + "log: {sync: often}\n", ANY + "log: {sync: [none]}\n",
    ANY + "log: {on_failure: ask}\n", ANY + "log: {builtin_redactions: 1}\n", ANY + "log: {read: true}\n",
    ANY + "log: {reads: 'true'}\n", ANY + "log: {redact: []}\n", ANY + "log: {redact: {name: x}}\n",
    ANY + "log: {redact: ''}\n", ANY + "log: {redact: [[a]]}\n", ANY + "log: {redact: true}\n",
    ANY + "log: {redact: {pattern: x, in: []}}\n", ANY + "log: {redact: {pattern: x, in: env}}\n",
    ANY + "log: {redact: {pattern: x, name: 'a b'}}\n", ANY + "log: {redact: {pattren: x}}\n",
    ANY + "log: {redact: [" + "x, " * 65 + "]}\n",
    ANY + "description: ''\n", ANY + "description: [x]\n", ANY + "description: " + "x" * 2001 + "\n",
    ANY + "include: []\n", ANY + "include: name\n", ANY + "include: {a: b}\n", ANY + "extends: [a]\n",
    ANY + "extends: ''\n",
    ANY + "vars: {}\n", ANY + "vars: []\n", ANY + "vars: {home: x}\n", ANY + "vars: {a-b: c}\n",
    ANY + "vars: {1a: c}\n", ANY + "vars: {a: [b]}\n", ANY + "vars: {a: ''}\n", ANY + "vars: {a: true}\n",
    ANY + "vars: {a: }\n", ANY + "vars: {" + "x" * 65 + ": a}\n",
    ANY + "applies_to: {}\n", ANY + "applies_to: x\n", ANY + "applies_to: {agent: x}\n",
    ANY + "applies_to: {agents: []}\n", ANY + "applies_to: {tags: 'a b'}\n", ANY + "applies_to: {tiers: {}}\n",
    ANY + "budget: 5\n", ANY + "budget: {}\n", ANY + "budget: {on_limit: ask}\n",
    ANY + "budget: {max_spend: -1}\n", ANY + "budget: {max_spend: free}\n", ANY + "budget: {max_spend: .inf}\n",
    ANY + "budget: {max_spend: 1.0e+13}\n", ANY + "budget: {max_spned: 1}\n",
    ANY + "budget: {max_spend: 1, soft_limit: 1.5}\n", ANY + "budget: {max_spend: 1, soft_limit: 0}\n",
    ANY + "budget: {max_execs: 1, soft_limit: 0.5}\n", ANY + "budget: {max_execs: 1, account: a}\n",
    ANY + "budget: {max_spend: 1, account: ..}\n", ANY + "budget: {max_spend: 1, account: " + 65 * "a" + "}\n",
    ANY + "budget: {max_execs: 0}\n", ANY + "budget: {max_execs: 1.5}\n", ANY + "budget: {max_execs: '5'}\n",
    ANY + "budget: {max_execs: -1}\n", ANY + "budget: {max_execs: 9223372036854775808}\n",
    ANY + "budget: {max_connects: []}\n", ANY + "budget: {max_bytes_written: 0}\n",
    ANY + "budget: {max_bytes_written: 10T}\n", ANY + "budget: {max_bytes_written: 10MB}\n",
    ANY + "budget: {max_seconds: 31622401}\n", ANY + "budget: {max_seconds: 1h}\n",
    ANY + "budget: {rate: {execs: 1}}\n", ANY + "budget: {rate: {per: hour}}\n",
    ANY + "budget: {rate: {per: day, execs: 1}}\n", ANY + "budget: {rate: []}\n",
    ANY + "budget: {rate: {per: hour, execs: 0}}\n", ANY + "budget: {rate: {per: hour, reads: 1}}\n",
    ANY + "budget: {loop: {repeats: 1}}\n", ANY + "budget: {loop: {repeats: 1001}}\n",
    ANY + "budget: {loop: {window: 1m}}\n",
    ANY + "budget: {loop: {repeats: 2, window: 0}}\n", ANY + "budget: {loop: 3}\n",
    ANY + "budget: {max_execs: 1, on_limit: kill}\n",
    ANY + "questions: {}\n", ANY + "questions: {except: x.org}\n", ANY + "questions: {records: []}\n",
    ANY + "questions: {records: AAA}\n", ANY + "questions: {records: TYPE0}\n", ANY + "questions: {max_name: 254}\n",
    ANY + "questions: {max_label: 0}\n", ANY + "questions: {max_entropy: 0.5}\n",
    ANY + "questions: {max_entropy: '4'}\n", ANY + "questions: {per_minute: 1.5}\n", ANY + "questions: [A]\n",
    ANY + "questions: {max_labels: 4, max_name: 5}\n", ANY + "questions: {max_name: 5, except: []}\n",
    ANY + "rules: []\n", ANY + "rules: {a: b}\n", ANY + "rules: [a]\n",
    ANY + "rules:\n- {match: {tool: x}, action: deny}\n", ANY + "rules:\n- {name: r, action: deny}\n",
    ANY + "rules:\n- {name: r, match: {tool: x}}\n", ANY + "rules:\n- {name: \"a\\nb\", match: {tool: x}, action: deny}\n",
    rule("nmae: x"), rule("reason: ''"), rule("suggest: {a: b}"), rule("priority: high"),
    rule("priority: 1.5"), rule("priority: 1000000001"), rule("priority: '5'"), rule("flag: true"),
    rule("flag: 1"), rule("cost: -1"), rule("cost: cheap"), rule("cost: [1]"), rule("ask: {timeout: 1}"),
    ANY + "rules:\n- {name: r, match: {tool: git}, action: flag, flag: true}\n",
    ask("flag: true"), ask("ask: {}"), ask("ask: 30s"), ask("ask: {timeout: 0}"), ask("ask: {timeout: 1d}"),
    ask("ask: {timeout: 86401}"), ask("ask: {timeout: 1.5}"), ask("ask: {timeuot: 1}"),
    ask("ask: {approvers: []}"), ask("ask: {approvers: [a b]}"), ask("ask: {approvers: ['@']}"),
    rule("examples: {}"), rule("examples: [git]"), rule("examples: {match: git}"), rule("examples: {match: []}"),
    rule("examples: {match: ['']}"), rule("examples: {match: [[git]]}"), rule("examples: {matches: [git]}"),
    rule("unless: []"), rule("unless: {}"), rule("unless: x"), rule("unless: {tools: x}"),
    match(""), match("tool: []"), match("tool: {a: b}"), match("tool: yes"), match("tool: ''"), match("tools: x"),
    match("tool: [[git]]"), match("argv: git"), match("argv: []"), match("argv: [[]]"), match("args_pattern: ''"),
    match("op: reed, tool: x"), match("op: [], tool: x"), match("op: syscall, tool: x"), match("port: 70000"),
    match("port: a"), match("port: 010-20"), match("port: -1"), match("protocol: icmp"), match("domain: []"),
    match("domain: a.org, verify: yes"), match("domain: a.org, verify: [sni]"), match("domain: a.org, http_method: get"),
    match("domain: a.org, http_method: []"), match("domain: a.org, http_path: []"),
    match("address: 1.2.3.4, cidr: 1.2.3.4"), match("time: []"), match("cwd: {}"), match("agent: ''"),
    match("parent: [true]"), match("listener: []"), match("listener_user: alice"), match("listener_user: -1"),
    match("listener_user: 4294967295"), match("listener_user: []"), rule("max_bytes_sent_per: port"),
]

GOOD_FRAGMENTS = ["rules:\n- {name: r, match: {tool: git}, action: deny}\n", "vars: {a: b}\n"]
BAD_FRAGMENTS = ["{}", "[]", "mode: audit\n", "rules: []\n", "vars: {home: x}\n", "include: nope\n",
                 "version: 1\nrules:\n- {name: r, match: {tool: git}, action: deny}\n"]


def check(path):
    done = subprocess.run([BUILD / "holdfast", "policy", "check", path], capture_output=True, text=True)
    return done.returncode == 0, done.stderr.strip()


def disagreements(validator, documents, is_good, write):
    for text in documents:
        errors = [e.message for e in validator.iter_errors(yaml.safe_load(text))]
        loads, message = check(write(text))
        if bool(errors) == is_good:
            yield f"the schema says {errors or 'nothing'} of:\n{text}"
        if loads != is_good:
            yield f"the loader says {message or 'nothing'} of:\n{text}"


def tables():
    """{table: {key: is_required}} of the loader's sources."""
    found = {}
    for source in (ROOT / "userspace/policy").glob("*.c"):
        text = source.read_text()
        for table, body in re.findall(r"static const struct field (\w+)\[\] = \{(.*?)\n\};", text, re.S):
            found[table] = {key: required == "true" for key, required in
                            re.findall(r'\{"(\w+)",\s*(true|false),', body)}
    return found


def words_of_vocabulary(enum):
    text = (ROOT / "userspace/policy/vocab.c").read_text()
    return re.findall(rf'\[{enum}_\w+\] = "(\w+)"', text)


def missing_keys(schema, resolver):
    found = tables()
    for table in found.keys() | TABLES.keys():
        if table not in found or table not in TABLES:
            yield f"{table}: a table of keys is new or gone; see TABLES"
            continue
        _, part = resolver.resolve(TABLES[table])
        if set(part["properties"]) != set(found[table]):
            yield f"{table}: {sorted(set(part['properties']) ^ set(found[table]))}"
        required = {key for key, is_required in found[table].items() if is_required}
        if set(part.get("required", [])) != required:
            yield f"{table}: {sorted(required)} are required"
    for enum, name, extra in (("OP", "operation", {"change"}), ("GRANT", "grant", {"all"}),
                              ("VERDICT", "verdict", set())):
        words = set(words_of_vocabulary(enum)) - {"syscall", "spend", "custom"} | extra
        if set(schema["$defs"][name]["enum"]) != words:
            yield f"{name}: {sorted(set(schema['$defs'][name]['enum']) ^ words)}"


def undescribed(schema):
    for name, part in [("", schema), *schema["$defs"].items()]:
        if "description" not in part:
            yield name
        for key, value in part.get("properties", {}).items():
            target = schema["$defs"].get(value.get("$ref", "").removeprefix("#/$defs/"), {})
            if "description" not in value and "description" not in target:
                yield f"{name}.{key}"


def main():
    schema = json.loads((ROOT / "docs/policy.schema.json").read_text())
    tap = Tap()
    jsonschema.Draft202012Validator.check_schema(schema)
    tap.fact("it is a schema", [])
    validator = jsonschema.Draft202012Validator(schema)
    resolver = jsonschema.RefResolver.from_schema(schema)
    fragment = jsonschema.Draft202012Validator({**schema["$defs"]["fragment"], "$defs": schema["$defs"]})
    tap.fact("every key and word of the loader is in the schema", list(missing_keys(schema, resolver)))
    tap.fact("every key is described", list(undescribed(schema)))
    with tempfile.TemporaryDirectory() as directory:
        path, part = f"{directory}/p.yaml", f"{directory}/fragment.yaml"

        def write(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return path

        def write_fragment(text):
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
            return write(ANY + "include: fragment.yaml\n")

        for name, documents, is_good in (("good", GOOD, True), ("bad", BAD, False)):
            tap.fact(f"{name} documents: schema and loader agree",
                     list(disagreements(validator, documents, is_good, write)), len(documents))
        for name, documents, is_good in (("good", GOOD_FRAGMENTS, True), ("bad", BAD_FRAGMENTS, False)):
            tap.fact(f"{name} fragments: schema and loader agree",
                     list(disagreements(fragment, documents, is_good, write_fragment)), len(documents))
    shipped = sorted(p for p in (ROOT / "policies").glob("*.yaml") if not p.name.endswith(".test.yaml"))
    tap.fact("shipped policies fit the schema",
             [f"{p.name}: {e.message}" for p in shipped
              for e in validator.iter_errors(yaml.safe_load(p.read_text()))], len(shipped))
    tap.end()


main()
