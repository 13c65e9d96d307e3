# What a record says of an action, whoever carried it out and in whatever order they were written; $dir is where the files
# are. Which call a send was, and that a fast open is a send as well, the kernel's programs do not know.
def shown: split($dir) | join("D") | gsub("/tmp/h[0-9]{7}"; "H");
select(.event == "action" or .event == "held") |
select(.kind == "network" or (.object // "" | startswith($dir + "/")) or ((.argv // [])[0] // "" | test("/(false|expr)$"))) |
[.event, .kind, .op, (.object | shown), (.object2 // "" | shown), .verdict, .would_have, .mode, .policy, .rule, .reason, .approver, .exe,
 (.result == "refused"), .error,
 (if .op == "connect" and ((.steps // []) | map(.op) | contains(["send"])) then null else .steps end | tostring | shown)]
