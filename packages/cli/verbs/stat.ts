import { type ObjectStatus, stat } from "@ipc/address";
import { about } from "../_failure.ts";
import { count } from "../_format.ts";
import { print } from "../io.ts";
import { flag } from "../_options.ts";
import { type Style, style } from "../_style.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Nobody who uses the object is disturbed. Readers and writers are the processes that have it open, as far as " +
    "this user may see.",
  ],
  options: { json: flag("print one object, with plain numbers") },
  examples: [
    ["ipc stat fifo:/run/in", "for people"],
    ["ipc stat fifo:/run/in --json | jq .available", "bytes that wait"],
  ],
  async run({ operands, options, io }) {
    const [address] = operands as [string];
    const status = await about(address, () => stat(address));
    const text = options.json ? JSON.stringify(status) : inWords(status, style(io.stdout));
    await print(io.stdout, `${text}\n`);
  },
});

function inWords(status: ObjectStatus, { bold, dim }: Style): string {
  const { uid, gid, mode, inode, changeTime, available, capacity, readers, writers } = status;
  const lines: [name: string, value: string | undefined][] = [
    ["type", status.type],
    ["path", status.path],
    ["owner", uid === undefined ? undefined : `uid ${uid}, gid ${gid}`],
    ["mode", mode === undefined ? undefined : `${mode.toString(8).padStart(4, "0")}  ${letters(mode)}`],
    ["inode", inode?.toString()],
    ["changed", changeTime && localTime(changeTime)],
    [
      "available",
      available === undefined
        ? undefined
        : `${count(available, "byte")}${capacity ? ` of ${count(capacity)}` : ""}`,
    ],
    ["readers", readers && processes(readers)],
    ["writers", writers && processes(writers)],
  ];
  return [
    bold(status.address),
    ...lines.filter(([, value]) => value !== undefined).map(([name, value]) =>
      `  ${dim(name.padEnd(10))} ${value}`
    ),
  ].join("\n");
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

function processes(pids: readonly number[]): string {
  return pids.length === 0 ? "none" : pids.map((pid) => `${pid} ${nameOf(pid)}`.trim()).join(", ");
}

function nameOf(pid: number): string {
  try {
    // A name may have control characters in it, and this goes to a terminal.
    return Deno.readTextFileSync(`/proc/${pid}/comm`).trim().replace(/[^\x20-\x7e]/g, "?");
  } catch {
    return "";
  }
}
