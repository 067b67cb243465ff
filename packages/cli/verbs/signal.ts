import { send, type SignalName, signalName, signalNumber } from "@ipc/signal";
import { about, STATUS, UsageError } from "../_failure.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: [
    "NAME is like TERM, SIGTERM or 15; those from RTMIN to RTMIN+30 are queued, and come one by one. VALUE is a whole " +
    "number that goes with the signal, for programs that look at it; -- goes before a negative one.",
    "USR1 is refused: a Deno that gets it opens its inspector to every user of the machine.",
  ],
  options: {},
  examples: [
    ["ipc signal 4711 HUP", "a server that reads its configuration anew"],
    ["ipc signal 4711 RTMIN 42", "with the number 42, as sigqueue(3) sends it"],
  ],
  async run({ operands }) {
    const [pid, name, value] = operands as [string, string, string | undefined];
    if (!/^[1-9]\d{0,9}$/.test(pid)) {
      throw new UsageError(`PID is "${pid}", and must be a whole number from 1`);
    }
    const signal = readSignal(name);
    const number = value === undefined ? undefined : readValue(value);
    await about(pid, () => send(Number(pid), signal, { value: number }));
    return STATUS.done;
  },
});

function readSignal(name: string): SignalName {
  try {
    const number = /^\d+$/.test(name)
      ? Number(name)
      : signalNumber(`SIG${name.toUpperCase().replace(/^SIG/, "")}` as SignalName);
    const signal = signalName(number);
    if (signal !== "SIGUSR1") return signal;
    throw new UsageError("USR1 is not sent: a Deno would open its inspector to every local user; use USR2");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`there is no signal "${name}"; they are HUP to SYS, and RTMIN to RTMIN+30`);
  }
}

function readValue(text: string): number {
  const value = /^-?\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value === (value | 0)) return value;
  throw new UsageError(`VALUE is "${text}", and must be a whole number of 32 bits`);
}
