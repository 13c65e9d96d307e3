# SPDX-License-Identifier: Apache-2.0
# Completion of holdfast for bash: commands, the words of answers, and what is held or granted now.

# _holdfast_ids COMMAND: the ids that `holdfast COMMAND --json` says.
_holdfast_ids() {
	holdfast "$1" --json 2>/dev/null | sed -n 's/^{.*"id":"\([a-z2-9]\{8\}\)".*$/\1/p'
}

_holdfast() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=""

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words=$(holdfast --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
	else
		case $prev in
		--for) words="session 30s 10m 1h 12h restart always" ;;
		--scope) words="exact tool dir address agent" ;;
		--write-policy | --policy | -p | --read | --write | --exec)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		*)
			case ${COMP_WORDS[1]} in
			approve | deny)
				words="--for --scope --rest --reason --json $(_holdfast_ids held)"
				;;
			broker) words="--background --check --status --json --stop" ;;
			watch) words="--once" ;;
			held) words="--json $(_holdfast_ids held)" ;;
			grants) words="--json --write-policy --yes" ;;
			grant) words="--agent --for --connect --read --write --exec --udp --deny --json" ;;
			revoke) words="--all $(_holdfast_ids grants)" ;;
			why) words="--last --json $(_holdfast_ids held)" ;;
			*)
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return
				;;
			esac
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _holdfast holdfast
