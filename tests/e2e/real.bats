#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real programs behave exactly as without Holdfast: same output, same status, same files. Each runs
# natively, under `audit-only`, and under a policy that allows what it needs and nothing else.

setup() {
	load helpers/common
	load helpers/downloads
	hf_setup
	export T HELPERS HF_HELPERS REPO
	policy need < <(
		echo "log_reads: true"
		echo "default: {tool: allow, read: allow, write: deny, network: deny, unix: allow}"
		echo "rules:"
		echo "  - {name: own-files, match: {path: [\"$T/**\", \"/tmp/**\", \"/dev/**\"]}, action: allow}"
		echo "  - {name: loopback, match: {cidr: [127.0.0.0/8, \"::1/128\"]}, action: allow}"
		echo "  - {name: any-port, match: {op: [bind, listen]}, action: allow}"
	)
	NEED=$POLICY
	TREE=() EXCLUDE=() HOWS=(audit need)
}

teardown() {
	hf_teardown
}

# transparent SCRIPT: bash runs it in an empty $T/work each time; TREE holds options for tree.py.
transparent() {
	local script=$1 how rc

	for how in native "${HOWS[@]}"; do
		mkdir "$T/work"
		cd "$T/work"
		rc=0
		case $how in
		native) timeout 110 bash "$script" ;;
		audit) hf --policy audit-only -- bash "$script" ;;
		need) hf --policy "$NEED" -- bash "$script" ;;
		esac </dev/null >"$T/$how.out" 2>"$T/$how.err" 3>&- 4>&- || rc=$?
		echo "status $rc" >"$T/$how.status"
		cd "$T"
		python3 "$HELPERS/tree.py" "${TREE[@]}" work "${EXCLUDE[@]}" >"$T/$how.tree"
		mv work "work.$how"
	done
	for how in "${HOWS[@]}"; do
		diff -u "$T/native.status" "$T/$how.status" || {
			tail -n 20 "$T/$how.err"
			return 1
		}
		diff -u "$T/native.out" "$T/$how.out"
		diff -u "$T/native.err" "$T/$how.err"
		diff -u "$T/native.tree" "$T/$how.tree"
	done
	grep -qx "status ${2:-0}" "$T/native.status" || {
		cat "$T/native.err"
		return 1
	}
	refute_logged '.verdict == "deny"'
}

@test "git: init, commit with hooks, clone, push, rebase, merge" {
	skip_without git
	cat >"$T/script" <<-'END'
		set -e
		git init -q --bare -b main remote.git
		git init -q -b main one
		cd one
		printf '#!/bin/sh\necho "pre-commit ran"\nsed -i s/teh/the/ text 2>/dev/null || :\ngit add -u\n' >.git/hooks/pre-commit
		printf '#!/bin/sh\necho "Reviewed-by: hook" >>"$1"\n' >.git/hooks/commit-msg
		chmod +x .git/hooks/pre-commit .git/hooks/commit-msg
		for i in 1 2 3 4 5; do
			echo "teh line $i" >>text
			mkdir -p "dir $i/sub"
			seq "$i" 100 >"dir $i/sub/file"
			ln -s "sub/file" "dir $i/link"
			git add .
			git commit -m "commit $i"
		done
		chmod +x text
		git commit -qam executable
		git remote add origin "$PWD/../remote.git"
		git push origin main
		cd ..
		git clone -q "file://$PWD/remote.git" two
		cd two
		git checkout -q -b topic HEAD~3
		echo topic >topic
		git add topic
		git commit -q -m topic
		git rebase -q main
		git push -q origin topic
		cd ../one
		git fetch -q
		git merge -q --no-ff -m merge origin/topic
		git stash list
		git tag -a -m tag v1
		git gc -q
		git fsck --strict
		git log --graph --format='%H %s %an %cd'
		git status --short
		git ls-tree -r HEAD
	END
	EXCLUDE=('\.git/index$' '\.git/(ORIG_HEAD|FETCH_HEAD)$')
	transparent "$T/script"
}

# The whole of it would be built three times, at a minute of CPU each; one layer has everything that a build does.
@test "a parallel make of a C project: a layer of Holdfast itself" {
	skip_without make gcc
	mkdir "$T/source"
	(cd "$REPO" && cp -r Makefile bpf loader userspace "$T/source/")
	cat >"$T/source/main.c" <<-'END'
		#include <stdio.h>
		#include "base/strbuf.h"

		int main(void)
		{
			_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(100);

			strbuf_add_fmt(&b, "built with %d", 1);
			return puts(strbuf_str(&b)) < 0;
		}
	END
	cat >"$T/script" <<-'END'
		set -e
		cp -r "$T/source" source
		cd source
		make -s -j4 CFLAGS=-O0 SOURCES="$(echo userspace/base/*.c userspace/engine/*.c)" build/libholdfast.a build/main.o | sort
		gcc -pie -o build/main build/main.o build/libholdfast.a
		build/main
		find build -name '*.o' -o -name main | sort | xargs sha256sum
	END
	transparent "$T/script"
	grep -q engine.o "$T/native.out"
	grep -qx 'built with 1' "$T/native.out"
}

@test "python: venv, unittest, subprocess, multiprocessing" {
	cat >"$T/test_work.py" <<-'END'
		import asyncio, concurrent.futures, multiprocessing, os, subprocess, sys, tempfile, threading, unittest

		def square(x):
		    return x * x

		class Work(unittest.TestCase):
		    def test_subprocess(self):
		        out = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 4"], input=b"in", capture_output=True)
		        self.assertEqual((out.stdout, out.stderr, out.returncode), (b"in", b"err\n", 4))
		    def test_subprocess_session(self):
		        p = subprocess.Popen(["sleep", "100"], start_new_session=True)
		        p.terminate()
		        self.assertEqual(p.wait(), -15)
		    def test_pool_fork(self):
		        with multiprocessing.get_context("fork").Pool(4) as pool:
		            self.assertEqual(pool.map(square, range(50)), [x * x for x in range(50)])
		    def test_pool_spawn(self):
		        with multiprocessing.get_context("spawn").Pool(2) as pool:
		            self.assertEqual(pool.map(square, range(10)), [x * x for x in range(10)])
		    def test_queue(self):
		        q = multiprocessing.Queue()
		        p = multiprocessing.Process(target=q.put, args=("hello",))
		        p.start()
		        self.assertEqual(q.get(timeout=30), "hello")
		        p.join()
		    def test_threads(self):
		        def read(i):
		            with open(sys.executable, "rb") as f:
		                return len(f.read(1000))
		        with concurrent.futures.ThreadPoolExecutor(16) as pool:
		            self.assertEqual(set(pool.map(read, range(200))), {1000})
		    def test_asyncio(self):
		        async def main():
		            p = await asyncio.create_subprocess_exec("echo", "x", stdout=-1)
		            return (await p.communicate())[0]
		        self.assertEqual(asyncio.run(main()), b"x\n")
		    def test_files(self):
		        with tempfile.TemporaryDirectory() as d:
		            fd = os.open(d, os.O_RDONLY | os.O_DIRECTORY)
		            os.mkdir("sub", dir_fd=fd)
		            f = os.open("sub/f", os.O_CREAT | os.O_WRONLY, 0o640, dir_fd=fd)
		            os.write(f, b"x" * 10)
		            os.rename("sub/f", "g", src_dir_fd=fd, dst_dir_fd=fd)
		            os.link("g", "h", src_dir_fd=fd, dst_dir_fd=fd)
		            os.utime("g", (1, 2), dir_fd=fd)
		            self.assertEqual(os.stat("h", dir_fd=fd).st_mtime, 2)
		            self.assertEqual(os.stat("h", dir_fd=fd).st_nlink, 2)
		            os.unlink("g", dir_fd=fd)
		            with self.assertRaises(FileNotFoundError):
		                os.stat("g", dir_fd=fd)

		if __name__ == "__main__":
		    unittest.main()
	END
	cat >"$T/script" <<-'END'
		set -e
		export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
		python3 -m venv --without-pip env
		cp "$T/test_work.py" .
		env/bin/python -c 'import sys; print(sys.prefix, sys.base_prefix)'
		env/bin/python -m unittest -v test_work 2>&1 | sed 's/ in [0-9.]*s$//'
		exit "${PIPESTATUS[0]}"
	END
	transparent "$T/script"
	grep -qx OK "$T/native.out"
}

@test "python: venv with pip" {
	python3 -c 'import ensurepip' 2>/dev/null || skip "ensurepip is not installed"
	cat >"$T/script" <<-'END'
		python3 -m venv env >/dev/null
		env/bin/pip --version
		env/bin/pip list --format=freeze --disable-pip-version-check
	END
	EXCLUDE=('\.pyc$' 'env/bin/' '__pycache__')
	transparent "$T/script"
	grep -q ^pip "$T/native.out"
}

@test "node: files, children, workers, timers, streams" {
	skip_without node
	cat >"$T/work.js" <<-'END'
		const fs = require('fs'), cp = require('child_process'), os = require('os'), http = require('http');
		const { Worker } = require('worker_threads');
		(async () => {
		  fs.mkdirSync('a/b/c', { recursive: true });
		  await Promise.all([...Array(100).keys()].map(i => fs.promises.writeFile(`a/b/c/${i}`, String(i))));
		  console.log(fs.readdirSync('a/b/c').length);
		  fs.cpSync('a', 'copy', { recursive: true });
		  fs.symlinkSync('a/b', 'link');
		  fs.chmodSync('a/b/c/7', 0o600);
		  fs.utimesSync('a/b/c/8', 1000, 2000);
		  console.log(fs.statSync('a/b/c/8').mtimeMs, fs.realpathSync('link') === fs.realpathSync('a/b'));
		  fs.rmSync('copy', { recursive: true });
		  console.log(cp.execSync('echo from shell; exit 0').toString().trim());
		  console.log(cp.spawnSync('sh', ['-c', 'exit 9']).status);
		  const w = await new Promise(r => { new Worker("require('worker_threads').parentPort.postMessage(require('fs').readFileSync('a/b/c/9','utf8'))", { eval: true }).on('message', r); });
		  console.log('worker', w);
		  const server = http.createServer((q, s) => s.end('hello ' + q.url)).listen(0, '127.0.0.1');
		  await new Promise(r => server.on('listening', r));
		  const text = await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).text();
		  console.log(text);
		  server.close(); server.closeAllConnections();
		  try { fs.readFileSync('/nonexistent'); } catch (e) { console.log(e.code); }
		})();
	END
	echo 'node "$T/work.js"' >"$T/script"
	transparent "$T/script"
	grep -qx 'hello /x' "$T/native.out"
}

# npm_works SCRIPT: what every npm test does around its own lines.
npm_works() {
	{
		cat <<-'END'
			set -e
			export npm_config_cache=$PWD/cache npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_loglevel=error
			npm init -y >/dev/null
		END
		echo "$1"
		echo "npm ls"
		echo "rm -rf cache"
	} >"$T/script"
	transparent "$T/script"
}

@test "npm install from a registry" {
	skip_without npm node
	npm_package left 1.2.0 'module.exports = (s, n) => s.padStart(n, "-");'
	npm_package both 2.0.1 'const left = require("left"); module.exports = s => left(s, 5) + "-".repeat(2);' '"left": "^1.0.0"'
	"$HELPERS/npm_registry.py" "$T/packages" "$T/port" >/dev/null 2>&1 3>&- &
	started "$!"
	wait_for test -s "$T/port"
	export npm_config_registry="http://127.0.0.1:$(<"$T/port")/"
	npm_works 'npm install both >/dev/null; node -e "console.log(require(\"both\")(\"x\"))"; grep -c integrity package-lock.json'
	grep -qx -- '----x--' "$T/native.out"
}

# Opt-in: a test run reaches no address but loopback by itself.
@test "npm install of real packages from the public registry" {
	skip_without npm node
	[[ -n ${E2E_NPM_REGISTRY:-} ]] || skip "opt-in, reaches the npm registry: E2E_NPM_REGISTRY=https://registry.npmjs.org/"
	export npm_config_registry=$E2E_NPM_REGISTRY
	sed -i 's/network: deny/network: allow/' "$NEED"
	npm_works 'npm install is-number@7.0.0 left-pad@1.3.0 >/dev/null; node -e "console.log(require(\"is-number\")(\"5\"), require(\"left-pad\")(\"x\", 5, \"-\"))"'
	grep -qx 'true ----x' "$T/native.out"
}

@test "bash: pipes, here-documents, background jobs, traps, substitution" {
	cat >"$T/script" <<-'END'
		set -u
		trap 'echo "exit trap $?"' EXIT
		trap 'echo usr1' USR1
		seq 1000 | grep 7 | sort -rn | head -n 3 | tee tee.out | tr 0-9 a-j
		cat <<-EOF | wc -l
			one
			two $((1 + 2))
		EOF
		cat <<<"here string"
		diff <(seq 5) <(seq 6) || echo "differs $?"
		for i in 1 2 3; do (read -r x <"fifo.$i"; echo "job $i $x") & mkfifo "fifo.$i"; done 2>/dev/null
		for i in 1 2 3; do [[ -p fifo.$i ]] || mkfifo "fifo.$i" 2>/dev/null; done
		wait
		kill -USR1 $$
		exec 5>fd5
		echo "to five" >&5
		exec 5>&-
		cat fd5
		coproc cat
		echo coprocess >&"${COPROC[1]}"
		read -r line <&"${COPROC[0]}"
		echo "$line"
		eval "exec ${COPROC[1]}>&-"
		wait
		(ulimit -f 1; trap '' XFSZ; head -c 5000 /dev/zero >limited 2>/dev/null; echo "limited $?")
		set -o pipefail
		false | true; echo "pipefail $?"
		yes | head -n 1; echo "sigpipe $?"
		timeout 0.2 sleep 50; echo "timeout $?"
		no-such-command; echo "not found $?"
		/etc/hostname; echo "not executable $?"
		$(echo echo substituted)
		select x in a b; do echo "$x"; break; done <<<2 2>/dev/null
		[[ -t 0 ]] || echo "no terminal"
		umask 077; : >private; ls -l private | cut -c1-10
		exit 6
	END
	# Jobs that race for their fifo would not be the same twice: make the fifos first.
	sed -i 's/^for i in 1 2 3; do (read.*$/for i in 1 2 3; do mkfifo "fifo.$i"; done; for i in 1 2 3; do (read -r x <"fifo.$i"; echo "job $i $x") \& echo go >"fifo.$i"; wait $!; done/; /^for i in 1 2 3; do \[\[ -p/d' "$T/script"
	transparent "$T/script" 6
	grep -qx 'exit trap 6' "$T/native.out"
}

# same_but_for_others BEFORE SEEN AFTER: sorted lists; SEEN may differ only where the machine did
# between the other two.
same_but_for_others() {
	comm -12 "$1" "$3" | comm -23 - "$2" >"$T/missing"
	sort -u "$1" "$3" | comm -13 - "$2" >"$T/extra"
	[[ ! -s $T/missing && ! -s $T/extra ]] || {
		head -n 40 "$T/missing" "$T/extra"
		return 1
	}
}

# Five levels are tens of thousands of files; all of a disk can be millions.
# What changed since the test began is other programs' work (tests beside this one, logs): status
# times tell, and nobody can set them.
find_once() {
	find / -xdev -maxdepth 5 \( -path "$T" -o -path "$REPO" -o -path /tmp -o -path /run -o -path /var/log \) -prune -o ! -newerct "@$START" -printf '%p %M %s %l\n' 2>/dev/null
}

@test "find / -xdev" {
	export LC_ALL=C START
	START=$(date +%s)
	export -f find_once
	find_once | sort >"$T/1"
	hf --policy audit-only -- bash -c find_once | sort >"$T/2"
	find_once | sort >"$T/3"
	hf --policy "$NEED" -- bash -c find_once | sort >"$T/4"
	find_once | sort >"$T/5"
	same_but_for_others "$T/1" "$T/2" "$T/3"
	same_but_for_others "$T/3" "$T/4" "$T/5"
	# All but nothing of it is the machine's own noise.
	[[ $(wc -l <"$T/2") -gt 10000 ]]
	refute_logged '.verdict == "deny"'
}

@test "find and sha256sum over /usr/share and /etc" {
	cat >"$T/script" <<-'END'
		find /usr/share /etc -xdev -type f -newermt 2000-01-01 -perm -004 -size -3k 2>/dev/null | grep -v pycache | sort | head -n 1500 | tr '\n' '\0' | xargs -0 sha256sum 2>/dev/null | sha256sum
	END
	transparent "$T/script"
}

@test "tar: odd modes, times, links, a fifo; there and back" {
	cat >"$T/script" <<-'END'
		set -e
		mkdir -p tree/sub "tree/na me"
		echo a >tree/a
		chmod 4751 tree/a
		chmod 1777 tree/sub
		ln tree/a tree/sub/hard
		ln -s ../a tree/sub/soft
		ln -s /nonexistent tree/dangling
		mkfifo -m 640 tree/fifo
		echo b >"tree/na me/$(printf 'x\377y')"
		touch -d "2001-02-03 04:05:06.789" tree/a "tree/na me"/* "tree/na me"
		touch -h -d "2002-03-04 05:06:07" tree/sub/soft
		chmod 0500 tree/sub
		touch -d "2003-04-05 06:07:08" tree/sub tree/fifo tree/dangling -h tree
		tar -cf a.tar tree
		tar -tvf a.tar | sort -k6
		mkdir out
		tar -xpf a.tar -C out
		tar -czf - -C out tree | tar -tzf - | sort
		rm a.tar
		touch -d "2004-04-05 06:07:08" . out "tree/na me"/* 
		touch -d "2004-04-05 06:07:08" out/tree/"na me"/* tree/"na me" out/tree/"na me" tree/a
	END
	TREE=(--times)
	transparent "$T/script"
	grep -q 'rwsr-x--x.*out/tree/a' "$T/native.tree"
}

@test "rsync -a: the same tree, and nothing to do the second time" {
	skip_without rsync
	cat >"$T/script" <<-'END'
		set -e
		mkdir -p from/sub
		for i in 1 2 3 4 5 6 7 8 9; do seq "$i" 500 >"from/sub/$i"; chmod "60$i" "from/sub/$i" 2>/dev/null || chmod 600 "from/sub/$i"; done
		ln from/sub/1 from/hard
		ln -s sub/2 from/soft
		mkfifo from/fifo
		find from -exec touch -h -d "2001-02-03 04:05:06" {} +
		rsync -aH --delete from/ to/
		rsync -aHi --delete from/ to/
		echo changed >>from/sub/3
		rm from/sub/4
		touch -d "2005-02-03 04:05:06" from/sub/3 from/sub
		rsync -aHi --delete from/ to/
		touch -d "2006-01-01" .
	END
	TREE=(--times)
	transparent "$T/script"
	grep -q 'deleting' "$T/native.out"
}

@test "a server and clients on loopback, v4, v6 and unix" {
	cat >"$T/net.py" <<-'END'
		import http.server, socket, socketserver, threading, urllib.request, os

		class H(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.end_headers()
		        self.wfile.write(b"x" * 100000)
		    def log_message(self, *a):
		        pass

		s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
		threading.Thread(target=s.serve_forever, daemon=True).start()
		got = []
		def get():
		    got.append(len(urllib.request.urlopen("http://127.0.0.1:%d/" % s.server_port).read()))
		ts = [threading.Thread(target=get) for _ in range(10)]
		[t.start() for t in ts]
		[t.join() for t in ts]
		print(got)
		a = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); a.bind(("::1", 0))
		b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
		b.sendto(b"datagram", a.getsockname()); print(a.recvfrom(100)[0])
		b.sendmsg([b"part", b"two"], [], 0, a.getsockname()); print(a.recvfrom(100)[0])
		b.connect(a.getsockname()); b.send(b"connected"); print(a.recv(100))
		u = socket.socket(socket.AF_UNIX); u.bind("sock"); u.listen()
		c = socket.socket(socket.AF_UNIX); c.connect("sock"); d, _ = u.accept()
		fd = os.open("/etc/hostname", os.O_RDONLY)
		socket.send_fds(c, [b"fd"], [fd]); m = socket.recv_fds(d, 10, 1)
		print(m[0], os.read(m[1][0], 100) == open("/etc/hostname", "rb").read())
		x, y = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); x.sendmsg([b"pair"]); print(y.recv(10))
		n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); n.bind("\0holdfast-e2e-%d" % os.getpid())
		o = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); o.sendto(b"abstract", n.getsockname()); print(n.recv(10))
		t = socket.create_connection(("localhost", s.server_port)); print(t.getpeername()[0]); t.close()
		r = socket.socket(); r.settimeout(5)
		print(r.connect_ex(("127.0.0.1", 1)))
	END
	echo 'python3 "$T/net.py"' >"$T/script"
	transparent "$T/script"
	grep -q "b'abstract'" "$T/native.out"
}

@test "64 threads that open files" {
	local i
	mkdir "$T/files"
	for i in {1..60}; do
		head -c "$((i * 37))" /dev/urandom >"$T/files/$i"
	done
	echo '"$HF_HELPERS/load" threads 64 "$T"/files/*' >"$T/script"
	transparent "$T/script"
	grep -q '^64 threads' "$T/native.out"
}

@test "5000 short processes" {
	cat >"$T/script" <<-'END'
		"$HF_HELPERS/load" spawn 4000 /bin/true
		i=0
		while ((i < 1000)); do /bin/true || echo failed; i=$((i + 1)); done
		(exit 3); echo $?
	END
	transparent "$T/script"
	grep -qx '4000 of 4000' "$T/native.out"
}
