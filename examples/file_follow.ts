// Follows log files as tail -F does, through rotation and truncation, and counts what it sees by level; with --until N
// it stops after so many lines.
//
//     deno run -A examples/file_follow.ts /var/log/app.log /var/log/other.log
import { merge } from "@ipc/core";
import { follow } from "@ipc/file";

const until = Deno.args[0] === "--until" ? Number(Deno.args[1]) : Infinity;
const paths = Deno.args.slice(until === Infinity ? 0 : 2);
const files = Object.fromEntries(paths.map((path) => [path, follow(path)]));
const counts: Record<string, number> = {};

console.log(`following ${paths.length}`);
let seen = 0;
for await (const { from, message } of merge(files)) {
  const line = new TextDecoder().decode(message);
  const level = /\b(ERROR|WARN|INFO)\b/.exec(line)?.[0] ?? "other";
  counts[level] = (counts[level] ?? 0) + 1;
  if (level === "ERROR") console.log(`${from}: ${line}`);
  if (++seen >= until) break;
}
console.log(counts);
for (const file of Object.values(files)) file.close();
