# SPDX-License-Identifier: Apache-2.0
"""Who is measured: the bare mechanism, Holdfast in its arrangements, and others that confine or watch commands."""

import json
import os
import shutil

from lab import ENVIRONMENT, NULL, PEERS, ROOT, Failure

FLOOR = "null that performs"
NULLS = {
    "null": [NULL],
    "null, one receiver pinned to each CPU": [NULL, "-r", "cpus", "-p"],
    "null, no sync wake-up": [NULL, "-S"],
}
READS, FEW, NET, AUDIT = ("Holdfast, every open asked about", "Holdfast, no rule on reads", "Holdfast, bpf-net",
                          "Holdfast, audit-only")

# Whether it decides on each action as it is made, keeps a record of each, can hold one until a person answers.
SAYS = {
    "native": ("", "", ""),
    **{name: ("no: it lets all pass", "no", "no") for name in [*NULLS, FLOOR]},
    **{name: ("yes", "yes", "yes") for name in (READS, FEW, NET)},
    AUDIT: ("no: it was told to refuse nothing", "yes", "no"),
    "strace -f": ("no", "yes, calls rather than files", "no"),
    "bubblewrap": ("no: mounts are chosen before", "no", "no"),
    "firejail": ("no: mounts and calls are chosen before", "no", "no"),
    "gVisor": ("no: a kernel of its own, to be isolated by", "no", "no"),
    "sandbox-runtime": ("hosts by a proxy; files are chosen before", "what it refused", "no"),
    "codex sandbox": ("no: files and network are chosen before", "no", "no"),
}


def write_policy(path, count, with_reads=True):
    """A policy of @count rules of all kinds, none of which matches: each action meets them all."""
    change = "[write, create, delete, rename]"
    lines = ["version: 1", f"name: bench-{path.stem}", "default: allow", "rules:"]
    for i in range(count):
        kinds = [
            f'path: ["/srv/none-{i}/**"], op: ' + ("[read, write]" if with_reads else change),
            f'path: ["/srv/**/secret-{i}.key", "/srv/*/key-{i}.{{pem,p12}}"], op: '
            + ("[read]" if with_reads else change),
            f"tool: none-{i}",
            f'address: ["10.{i // 250 % 250}.{i % 250}.0/24"], port: [{1024 + i % 60000}]',
            f"path: [\"/srv/data-{i}/*.txt\"], op: {change}",
        ]
        lines.append(f"  - {{name: rule-{i}, match: {{{kinds[i % len(kinds)]}}}, action: deny}}")
    lines.append("  - {name: pattern, match: {tool: none, args_pattern: '--force\\b'}, action: deny}")
    del lines[4]  # the pattern took the place of the first
    path.write_text("\n".join(lines) + "\n")


def which(program):
    found = shutil.which(program, path=ENVIRONMENT["PATH"])
    if not found:
        raise Failure(f"{program} is not installed (tools/install-peers)")
    return found


def holdfast(lab, name, *options, **shape):
    policy = lab.dir / f"{name}.yaml"
    if not policy.exists():
        write_policy(policy, **shape)
    return lab.holdfast(policy, *options)


def bubblewrap(lab):
    return [which("bwrap"), "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
            "--bind", str(lab.dir), str(lab.dir), "--chdir", str(lab.dir), "--"]


def gvisor(_lab):
    if os.geteuid() != 0:
        raise Failure("as it comes, it takes root")
    return [which("runsc"), "--network=none", "--platform=ptrace", "--ignore-cgroups", "do"]


def npm_program(path):
    program = PEERS / "node_modules" / path
    if not program.exists():
        raise Failure(f"{path.split('/')[0]} is not installed (tools/install-peers)")
    return str(program)


def sandbox_runtime(lab):
    program = npm_program("@anthropic-ai/sandbox-runtime/dist/cli.js")
    settings = lab.dir / "srt.json"
    settings.write_text(json.dumps({
        "network": {"allowedDomains": [], "deniedDomains": [], "allowLocalBinding": True},
        "filesystem": {"denyRead": [], "allowWrite": [str(lab.dir), "/tmp"], "denyWrite": []}}))
    for needed in ("bwrap", "socat", "rg"):
        which(needed)
    return [which("node"), program, "--settings", str(settings)]


def codex(_lab):
    program = npm_program("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    (PEERS / "codex-home").mkdir(exist_ok=True)
    # ":workspace" forbids sockets altogether, and the workloads want loopback.
    return [program, "sandbox", "-c", 'permissions.bench.extends=":workspace"', "-c", "permissions.bench.network.enabled=true",
            "-P", "bench", "--"]


# In the order of the tables.
MAKERS = {
    **{name: lambda _lab, p=prefix: p for name, prefix in NULLS.items()},
    FLOOR: lambda _lab: [NULL, "-n", "-o", "-x"],
    READS: lambda lab: holdfast(lab, "reads", count=10),
    FEW: lambda lab: holdfast(lab, "writes", count=10, with_reads=False),
    NET: lambda lab: holdfast(lab, "writes", "--layers", "bpf-net", count=10, with_reads=False),
    AUDIT: lambda lab: lab.holdfast(ROOT / "policies/audit-only.yaml"),
    "strace -f": lambda _lab: [which("strace"), "-f", "-qq", "-o", "/dev/null"],
    "bubblewrap": bubblewrap,
    "firejail": lambda _lab: [which("firejail"), "--quiet", "--noprofile", "--net=none", "--"],
    "gVisor": gvisor,
    "sandbox-runtime": sandbox_runtime,
    "codex sandbox": codex,
}


def find(lab):
    """Those that work here: name -> what to put before a command; and why the others do not."""
    found, missing = {}, {}
    for name, maker in MAKERS.items():
        try:
            prefix = maker(lab)
            lab.run([*prefix, "/bin/true"])
            found[name] = prefix
        except Failure as e:
            missing[name] = str(e)
        except OSError as e:
            missing[name] = os.strerror(e.errno)
    return found, missing
