#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that ask not to be looked into (PR_SET_DUMPABLE): they work, are decided on like others, and what they
# keep is kept from the rest of the session.

setup() {
	load helpers/common
	hf_setup
	mkdir -m 0700 "$T/k"
	echo hidden >"$T/secret"
	policy hiding <<-END
		log_reads: true
		default: allow
		grant: [ptrace]
		rules:
		  - {name: secret, match: {path: ["$T/secret"]}, action: deny}
	END
}

teardown() {
	hf_teardown
}

@test "ssh-agent keeps a key and signs with it" {
	skip_without ssh-agent
	ssh-keygen -q -t ed25519 -N '' -f "$T/k/key"
	run hf --policy "$POLICY" -- ssh-agent -a "$T/k/agent" sh -ec '
		ssh-add -q "$1"
		ssh-add -l
		rm "$1"
		echo text | ssh-keygen -Y sign -n file -f "$1.pub" >"$1.sig" 2>/dev/null
		grep -c "BEGIN SSH SIGNATURE" "$1.sig"' - "$T/k/key"
	assert_success
	assert_line --partial "(ED25519)"
	assert_line 1
	refute_logged '.reason == "unreadable-argument"'
}

@test "gpg-agent makes a key and signs with it" {
	skip_without gpg-agent
	skip_without gpg
	export GNUPGHOME=$T/k
	run hf --policy "$POLICY" -- sh -ec '
		gpg --batch -q --passphrase "" --quick-gen-key a@example.org ed25519 sign never 2>/dev/null
		echo text | gpg --batch -q --clearsign | grep -c "BEGIN PGP SIGNATURE"
		gpgconf --kill gpg-agent'
	assert_success
	assert_line 1
	refute_logged '.reason == "unreadable-argument"'
}

@test "git signs with a key of an agent's" {
	skip_without ssh-agent
	ssh-keygen -q -t ed25519 -N '' -f "$T/k/key"
	git init -q .
	git config gpg.format ssh
	git config user.signingKey "$T/k/key.pub"
	run hf --policy "$POLICY" -- ssh-agent -a "$T/k/agent" sh -ec '
		ssh-add -q "$1"; rm "$1"
		git commit -q -S --allow-empty -m signed
		git cat-file commit HEAD | grep -c "BEGIN SSH SIGNATURE"' - "$T/k/key"
	assert_success
	assert_output 1
}

# What another process of the session gets of one that hides, what that gets of itself, and odd values.
looks() {
	cat <<-'END'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
		PR_SET_DUMPABLE, PTRACE_SEIZE, PTRACE_ATTACH, KCMP, VM_READV = 4, 0x4206, 16, 312, 310

		def error(r):
		    return os.strerror(ctypes.get_errno()) if r < 0 else "done"

		def read(path, flags=os.O_RDONLY):
		    try:
		        fd = os.open(path, flags)
		    except OSError as e:
		        return e.strerror
		    os.close(fd)
		    return "opened"

		class Piece(ctypes.Structure):
		    _fields_ = [("at", ctypes.c_void_p), ("len", ctypes.c_size_t)]

		if sys.argv[1] == "look":
		    pid = int(sys.argv[2])
		    secret, mine = int(sys.argv[3]), ctypes.create_string_buffer(6)
		    here, there = Piece(ctypes.addressof(mine), 6), Piece(secret, 6)
		    for name in sys.argv[4:]:
		        print(name, read(f"/proc/{pid}/{name}"), read(f"/proc/{pid}/task/{pid}/{name}"))
		    os.chdir(f"/proc/{pid}")
		    print("relative", read("mem", os.O_RDWR), read("environ"))
		    print("readv", error(libc.syscall(VM_READV, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)))
		    print("kcmp", error(libc.syscall(KCMP, os.getpid(), pid, 1, 0, 0)))
		    for request in PTRACE_SEIZE, PTRACE_ATTACH:
		        print("ptrace", error(libc.ptrace(request, pid, 0, 0)))
		    print(mine.raw == b"secret")
		else:
		    secret = ctypes.create_string_buffer(b"secret")
		    names = ["mem", "environ", "maps", "auxv", "fd", "fd/0", "cwd/x", "root/etc/passwd", "exe", "status", "cmdline"]
		    print([error(libc.prctl(PR_SET_DUMPABLE, v, 0, 0, 0)) for v in (2, 1 << 32, 1, 0, 0)])
		    print(read(f"/proc/{os.getpid()}/mem"), read("/etc/passwd"), read(sys.argv[2]))
		    sys.stdout.flush()
		    if os.fork() == 0:  # its children hide, too
		        secret.value = b"SECRET"
		        if os.fork() == 0:
		            # Another program than the one that hides.
		            os.execv(sys.argv[3], [sys.argv[3], sys.argv[0], "look", str(os.getppid()), str(ctypes.addressof(secret)), *names])
		        os.wait()
		        os._exit(0)
		    os.wait()
	END
}

@test "what hides is hidden from others of the session, as it is natively, and not from the policy" {
	((EUID)) || skip "root reads everything"
	looks >"$T/looks.py"
	cp "$(readlink -f /usr/bin/python3)" "$T/other"
	chmod 0644 "$T/secret"
	python3 "$T/looks.py" hide "$T/secret" "$T/other" >"$T/native"
	grep -q "^readv Operation not permitted" "$T/native"
	hf --policy "$POLICY" -- python3 "$T/looks.py" hide "$T/secret" "$T/other" >"$T/here"
	# Its own secret is the policy's; its own memory is its own.
	sed -i 's/^Permission denied opened opened$/opened opened Permission denied/' "$T/native"
	diff "$T/native" "$T/here"
	assert_logged '.rule == "secret" and .verdict == "deny"'
}
