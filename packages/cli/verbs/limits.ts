import { type KernelLimit, limits } from "@ipc/address";
import { bytes, count } from "../_format.ts";
import { print } from "../io.ts";
import { flag } from "../_options.ts";
import { table } from "../_table.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "Those of System V are raised with sysctl: kernel.msgmax, kernel.msgmnb, kernel.msgmni, kernel.sem, " +
    "kernel.shmmax, kernel.shmall and kernel.shmmni; those of POSIX queues with fs.mqueue.msg_max and so on, and " +
    "RLIMIT_MSGQUEUE with ulimit -q; /dev/shm is as large as it was mounted.",
  ],
  options: { json: flag("print an object for each, one a line") },
  examples: [
    ["ipc limits", "for people"],
    ["ipc limits --json | jq 'select(.percent > 80)'", "what will be reached soon"],
  ],
  async run({ options, io }) {
    const all = limits();
    const text = options.json
      ? all.map((limit) => `${JSON.stringify(limit)}\n`).join("")
      : table(io.stdout, HEADINGS, all.map(cells), ["used", "limit", "percent"]);
    await print(io.stdout, text);
  },
});

const HEADINGS = ["name", "used", "limit", "percent", "what it limits"];

function cells({ name, meaning, limit, unit, used, percent }: KernelLimit): string[] {
  const amount = (number: number) => unit === "bytes" && number >= 10_000 ? bytes(number) : count(number);
  // As many as the kernel can count are no limit.
  const unlimited = limit >= 2 ** 53;
  return [
    name,
    used === undefined ? "" : amount(used),
    unlimited ? "none" : amount(limit),
    percent === undefined || unlimited ? "" : `${percent.toFixed(percent < 9.95 && percent > 0 ? 1 : 0)} %`,
    meaning,
  ];
}
