# SPDX-License-Identifier: Apache-2.0
"""Asking `holdfast policy eval --batch` about a dialect's document, for the comparisons of whole
dialects with their oracles."""

import json
import os
import re
import subprocess
import tempfile

from compat import BUILD

HOLDFAST = os.environ.get("HOLDFAST", str(BUILD / "holdfast"))
SECONDS = 60


class Refused(Exception):
    """The document was refused; the text is what standard error said."""


class Dialect:
    def __init__(self, language):
        self.language = language
        self.directory = tempfile.TemporaryDirectory(prefix="holdfast-compat-")
        self.file = os.path.join(self.directory.name, "policy.yaml")

    def ask(self, text, actions, default=None, policy=None):
        """The answers to @actions in order. @text is the document, unless @policy names one."""
        if policy is None:
            data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            with open(self.file, "wb") as f:
                f.write(data)
        command = [HOLDFAST, "policy", "eval", "-p", policy or self.file,
                   "--language", self.language, "--batch"]
        if default:
            command += ["--default", default]
        lines = "".join(json.dumps(action) + "\n" for action in actions)
        done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=SECONDS,
                              check=False)
        self.warnings = done.stderr.decode("utf-8", "replace")
        if done.returncode == 1 and not done.stdout:
            raise Refused(self.warnings)
        if done.returncode != 0:
            raise RuntimeError(f"status {done.returncode}: {self.warnings}")
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(actions):
            raise RuntimeError(f"{len(actions)} actions, {len(answers)} answers")
        return answers

    def refusal(self, text):
        """The message that @text is refused with; None when it loads."""
        try:
            self.ask(text, [])
        except Refused as e:
            return str(e)
        return None

    def has_position(self, message):
        return re.search(re.escape(self.file) + r":[0-9]+:[0-9]+: ", message) is not None
