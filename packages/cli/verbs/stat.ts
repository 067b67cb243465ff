import { type LogFileStatus, type ObjectStatus, stat } from "@ipc/address";
import { formatKey, IPC_PRIVATE, type Key } from "@ipc/core";
import { advice, readAddress } from "../_address.ts";
import { about } from "../_failure.ts";
import { count } from "../_format.ts";
import { type Output, print } from "../io.ts";
import { flag } from "../_options.ts";
import { groupName, processName, userName } from "../_people.ts";
import { style } from "../_style.ts";
import { table } from "../_table.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Nobody who uses the object is disturbed. Readers and writers are the processes that have it open, holders " +
    "those that have it mapped or, of a socket, open, as far as this user may see.",
  ],
  options: { json: flag("print one object, with plain numbers") },
  examples: [
    ["ipc stat sysv-sem:0x4d2", "for people"],
    ["ipc stat unix:/run/app.sock", "who listens there, and how many are connected"],
    ["ipc stat fifo:/run/in --json | jq .available", "bytes that wait"],
  ],
  async run({ operands, options, io }) {
    const address = readAddress(operands[0]!);
    const status = await about(address.text, () => stat(address), advice(address));
    await print(io.stdout, options.json ? `${JSON.stringify(status)}\n` : inWords(status, io.stdout));
  },
});

/** Each property under its own name, shown by what it is; a new mechanism needs nothing here. */
function inWords(status: ObjectStatus, output: Output): string {
  const { bold, dim } = style(output);
  const { address, ...properties } = status;
  const rows = Object.entries(properties).flatMap(([name, value]) => {
    const shown = show(name, value, properties as Properties);
    return shown === undefined ? [] : [[words(name), shown] as const];
  });
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = [bold(address), ...rows.map(([name, shown]) => `  ${dim(name.padEnd(width))}  ${shown}`)];
  const consumers = status.type === "file" && status.consumers.length > 0
    ? `\n${consumersTable(status.consumers, output)}`
    : "";
  const members = status.type === "sysv-sem" && status.members !== undefined
    ? `\n${membersTable(status.members, output)}`
    : "";
  return `${lines.join("\n")}\n${members}${consumers}`;
}

type Properties = Readonly<Record<string, unknown>>;

/** What is shown beside what it is a part of. */
const PARTS: Readonly<Record<string, string>> = {
  available: "capacity",
  bytes: "maxBytes",
  messages: "maxMessages",
};
/** What is counted in bytes. */
const BYTES = ["available", "bytes", "size", "resident", "swapped", "maxMessageSize"];

/** What has a table of its own. */
const TABLES = ["members", "consumers"];

/** A value in words; `undefined`: it is not shown, or beside another. */
function show(name: string, value: unknown, all: Properties): string | undefined {
  if (name === "mode") {
    return `${(value as number).toString(8).padStart(4, "0")}  ${letters(value as number)}`;
  }
  if (["id", "inode", "port", "first", "last"].includes(name)) return String(value);
  if (name === "key") return value === IPC_PRIVATE ? "private" : formatKey(value as Key);
  if (/uid$/i.test(name)) return `${userName(value as number)} (${value})`;
  if (/gid$/i.test(name)) return `${groupName(value as number)} (${value})`;
  if (name.endsWith("Pid")) return (value ?? 0) === 0 ? "none" : processName(value as number);
  if (name.endsWith("Time")) return value === undefined ? "never" : localTime(value as Date);
  if (Object.values(PARTS).includes(name) && all[partOf(name)] !== undefined) return undefined;
  if (typeof value === "number") {
    const whole = all[PARTS[name] ?? ""] as number | undefined;
    const shown = BYTES.includes(name) ? count(value, "byte") : count(value);
    return whole === undefined ? shown : `${shown} of ${count(whole)}`;
  }
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? "yes" : "no";
  }
  if (Array.isArray(value) && !TABLES.includes(name)) return value.map(processName).join(", ") || "none";
  return undefined;
}

function partOf(whole: string): string {
  return Object.keys(PARTS).find((name) => PARTS[name] === whole)!;
}

function consumersTable(consumers: LogFileStatus["consumers"], output: Output): string {
  const rows = consumers.map(({ name, position, waiting, out }) => {
    return [name, String(position), count(waiting), count(out)];
  });
  return table(output, ["consumer", "position", "waiting", "out"], rows, ["position", "waiting", "out"]);
}

function membersTable(members: readonly object[], output: Output): string {
  const headings = ["semaphore", ...Object.keys(members[0] ?? {}).map(words)];
  const rows = members.map((member, index) => [
    String(index),
    ...Object.entries(member).map(([name, value]) => show(name, value, {}) ?? ""),
  ]);
  return table(output, headings, rows, headings.slice(0, -1));
}

/** `lastSendTime` as people write it. */
function words(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A mode as ls shows it. */
function letters(mode: number): string {
  return [8, 7, 6, 5, 4, 3, 2, 1, 0].map((bit) => mode >> bit & 1 ? "xwr"[bit % 3] : "-").join("");
}

function localTime(time: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}
