# SPDX-License-Identifier: Apache-2.0
"""AgentPolicy 0.1.1 on agentbudget 0.3.0, written anew from what is known of their behaviour.

None of Holdfast's code is used here. Both were written by the same hand after the same reading, so a
misunderstanding of the original can be in both. Times come from the caller, so that the loop guard can be tried without waiting.
"""

import ipaddress
import re
import unicodedata

import yaml

SECTIONS = ("budget", "tools", "network", "approval")
RULE_KEYS = ("action_type", "tool", "domain", "source", "cost_gt")
NO_VALUE = object()


class InvalidPolicy(Exception):
    pass


class LoopDetected(Exception):
    pass


# ---- reading


def money(value):
    if isinstance(value, (int, float)):
        number = value
    elif isinstance(value, str):
        try:
            number = float(value.strip().lstrip("$").strip())
        except ValueError:
            raise InvalidPolicy("Invalid money value: %r" % (value,)) from None
    else:
        raise InvalidPolicy("Invalid money value: %r" % (value,))
    if number < 0:
        raise InvalidPolicy("Budget must be non-negative, got %r" % (value,))
    return float(number)


def section(document, name):
    found = document.get(name)
    if found is None:
        return {}
    if type(found) is not dict:
        raise InvalidPolicy("Policy section '%s' must be a mapping" % name)
    return found


def names(where, field, key):
    raw = where.get(key)
    if raw is None:
        return None
    if not isinstance(raw, (list, dict)):
        raise InvalidPolicy("Policy field '%s.%s' must be a list of strings" % (field, key))
    result = set()
    for item in raw:
        if not isinstance(item, str):
            raise InvalidPolicy("Policy field '%s.%s' must contain only strings" % (field, key))
        if item.strip():
            result.add(item.strip())
    return result


class Policy:
    def __init__(self, document):
        budget, tools, network, approval = (section(document, name) for name in SECTIONS)
        rules = approval.get("require_for")
        if rules is None:
            rules = []
        if not isinstance(rules, list):
            raise InvalidPolicy("Policy section 'approval.require_for' must be a list")
        for number, rule in enumerate(rules, 1):
            if not isinstance(rule, dict):
                raise InvalidPolicy("Policy section 'approval.require_for' item #%d must be a mapping"
                                    % number)
        self.rules = rules
        self.tools = {key: names(tools, "tools", key) for key in ("allow", "block")}
        self.network = {key: names(network, "network", key) for key in ("allow", "block")}
        self.budget = money(budget.get("max_spend", 0.0))
        for lists, noun in ((self.tools, "Tool"), (self.network, "Domain")):
            if (lists["allow"] or set()) & (lists["block"] or set()):
                raise InvalidPolicy(noun + " cannot be both allowed and blocked")

    @classmethod
    def from_text(cls, text):
        document = yaml.safe_load(text) or {}
        if not isinstance(document, dict):
            raise InvalidPolicy("Policy file must contain a top-level mapping")
        return cls(document)


# ---- the domain of a URL: urlsplit() as it is since its brackets are checked


def check_host(host):
    if host.startswith("v"):
        if not re.fullmatch(r"v[a-fA-F0-9]+\..+", host, re.DOTALL):
            raise ValueError("IPvFuture address is invalid")
    elif isinstance(ipaddress.ip_address(host), ipaddress.IPv4Address):
        raise ValueError("An IPv4 address cannot be in brackets")


def check_brackets(netloc):
    place = netloc.split("@")[-1]
    if "[" in place:
        before, _, rest = place.partition("[")
        host, _, port = rest.partition("]")
        if before or (port and port[0] != ":"):
            raise ValueError("Invalid IPv6 URL")
    else:
        host = place.split(":")[0]
    check_host(host)


def domain_of(url):
    if not isinstance(url, str):
        if not url:
            return b""
        return url.decode("ascii")  # raises what urlparse() raises
    url = "".join(c for c in url.lstrip("".join(map(chr, range(33)))) if c not in "\t\r\n")
    url = re.sub(r"\A[A-Za-z][A-Za-z0-9+.-]*:", "", url)
    if not url.startswith("//"):
        return ""
    netloc = re.match(r"[^/?#]*", url[2:]).group()
    if ("[" in netloc) != ("]" in netloc):
        raise ValueError("Invalid IPv6 URL")
    if "[" in netloc:
        check_brackets(netloc)
    plain = "".join(c for c in netloc if c not in "@:#?")
    if set(unicodedata.normalize("NFKC", plain)) & set("/?#@:"):
        raise ValueError("netloc '%s' contains invalid characters under NFKC normalization" % netloc)
    return netloc.lower()


# ---- a session


class Session:
    def __init__(self, policy, session_id="pol_test"):
        self.policy = policy
        self.session_id = session_id
        self.spent = 0.0
        self.log = []
        self.calls = {}

    @property
    def remaining(self):
        left = self.policy.budget - self.spent
        return left if self.policy.budget > 0 else max(left, 0.0)

    def listed(self, noun, where, lists, name):
        if lists["block"] and name in lists["block"]:
            return ("deny", "%s %r denied by %s.block policy" % (noun, name, where))
        if lists["allow"] is not None and name not in lists["allow"]:
            return ("deny", "%s %r denied because it is not in %s.allow" % (noun, name, where))
        return None

    def matches(self, rule, action):
        fields = {"action_type": action["action_type"], "tool": action["tool_name"],
                  "domain": action["domain"], "source": action["source"]}
        for key, value in fields.items():
            if key in rule and rule[key] != value:
                return False
        return "cost_gt" not in rule or action["cost"] > float(rule["cost_gt"])

    def evaluate(self, action, approved=False):
        policy, kind = self.policy, action["action_type"]
        if kind == "tool" and action["tool_name"] is not None:
            found = self.listed("Tool", "tools", policy.tools, action["tool_name"])
            if found:
                return found
        if kind == "http" and action["domain"] is not None:
            found = self.listed("Domain", "network", policy.network, action["domain"])
            if found:
                return found
        if policy.budget != 0 and self.spent + action["cost"] > policy.budget:
            return ("deny", "Budget exceeded: $%.4f would exceed $%.2f"
                    % (self.spent + action["cost"], policy.budget))
        if not approved:
            for number, rule in enumerate(policy.rules, 1):
                if self.matches(rule, action):
                    said = ", ".join("%s=%s" % (key, rule[key]) for key in RULE_KEYS if key in rule)
                    return ("require_approval", "Action requires approval by rule #%d: %s"
                            % (number, said or "custom rule"))
        return ("allow", "Action allowed")

    def enforce(self, action, approved=False, now=0.0):
        word, reason = self.evaluate(action, approved)
        self.log.append((word, reason, action))
        if word != "allow" or not action["cost"] > 0:
            return word, reason
        self.spent += action["cost"]
        if self.policy.budget > 0:
            key = "policy:" + action["action_type"]
            recent = [t for t in self.calls.get(key, []) if t > now - 60] + [now]
            self.calls[key] = recent
            if len(recent) >= 10:
                raise LoopDetected("Loop detected: repeated calls to %r" % key)
        return word, reason

    def report(self):
        counts, attempted, charged = {}, {}, {}
        hits = {"denied_tools": [], "denied_domains": [], "approval_required": []}
        for word, _, action in self.log:
            kind, tool, domain = action["action_type"], action["tool_name"], action["domain"]
            counts[kind] = counts.get(kind, 0) + 1
            attempted[kind] = attempted.get(kind, 0.0) + action["cost"]
            if word == "allow":
                charged[kind] = charged.get(kind, 0.0) + action["cost"]
            if word == "deny" and tool is not None:
                hits["denied_tools"].append(tool)
            if word == "deny" and domain is not None:
                hits["denied_domains"].append(domain)
            if word == "require_approval":
                hits["approval_required"].append(
                    tool if tool is not None else domain if domain is not None else kind)
        words = [word for word, _, _ in self.log]
        return {
            "session_id": self.session_id,
            "budget": self.policy.budget,
            "spent": round(self.spent, 6),
            "remaining": round(self.remaining, 6),
            "decision_summary": {
                "allow": words.count("allow"), "deny": words.count("deny"),
                "require_approval": words.count("require_approval"), "by_action_type": counts},
            "cost_summary": {
                "by_action_type": {k: round(v, 6) for k, v in charged.items()},
                "attempted_by_action_type": {k: round(v, 6) for k, v in attempted.items()}},
            "policy_hits": hits,
            "duration_seconds": 0.0,
            "decisions": [
                {"decision_type": word, "reason": reason, "timestamp": 0.0,
                 "action": {k: v for k, v in action.items()
                            if k in ("action_type", "cost", "timestamp") or v is not None}}
                for word, reason, action in self.log],
        }


def make_action(kind, cost=0.0, tool_name=None, url=None, domain=None, source=None, metadata=None):
    """In the order in which a report prints the fields."""
    return {"action_type": kind, "cost": cost, "timestamp": 0.0, "tool_name": tool_name, "url": url,
            "domain": domain, "source": source, "metadata": metadata}


def from_json(line):
    """The action that one line of `holdfast policy eval` means, and whether it is approved."""
    approved, cost, meta = bool(line.get("approved")), line.get("cost", 0.0), line.get("metadata")
    kind = line.get("kind")
    if kind == "tool":
        return make_action("tool", cost, tool_name=line["name"], metadata=meta), approved
    if kind == "http":
        return make_action("http", cost, url=line["url"], domain=domain_of(line["url"]),
                           metadata=meta), approved
    if kind == "cost":
        return make_action("cost", cost, source=line.get("source", "llm"), metadata=meta), approved
    fields = dict(line["fields"])
    return make_action(fields.pop("action_type"), fields.pop("cost", 0.0), **fields), approved
