/** What the two programs for Node have in common: the commands on standard input, and what is measured. */

import process from "node:process";
import { createInterface } from "node:readline";

/** CPU time of this process with all its threads, in microseconds. */
export function cpuTime() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Messages that come as events, one `receive` after another. */
export class Inbox {
  #messages = [];
  #at = 0;
  #wake;

  put(message) {
    if (this.#wake === undefined) return void this.#messages.push(message);
    const wake = this.#wake;
    this.#wake = undefined;
    wake(message);
  }

  receive() {
    if (this.#at < this.#messages.length) {
      const message = this.#messages[this.#at];
      this.#messages[this.#at++] = undefined;
      if (this.#at === this.#messages.length) {
        this.#messages = [];
        this.#at = 0;
      }
      return message;
    }
    return new Promise((resolve) => this.#wake = resolve);
  }
}

/** Obeys standard input until its end. `shared`: both ends are one process, whose CPU time is told once. */
export async function nearEnd({ send, receive, message, pids, shared, close }) {
  console.log(JSON.stringify({ ready: true, pids }));
  for await (const line of createInterface({ input: process.stdin })) {
    const [test, size, count] = line.split(" ").map((word, at) => at === 0 ? word : Number(word));
    const payload = message(size);
    const before = cpuTime();
    send({ test, size, count });
    const figures = {};
    const began = performance.now();
    if (test === "trip") {
      for (let left = count; left > 0; left--) {
        send(payload);
        await receive();
      }
      figures.nanoseconds = Math.round((performance.now() - began) * 1e6);
      const times = new Float64Array(count);
      for (let trip = 0, last = performance.now(); trip < count; trip++) {
        send(payload);
        await receive();
        const now = performance.now();
        times[trip] = now - last;
        last = now;
      }
      times.sort();
      figures.p50 = times[count >> 1] * 1000;
      figures.p99 = times[Math.floor(count * 0.99)] * 1000;
    } else {
      for (let left = count; left > 0; left--) await receive();
      figures.nanoseconds = Math.round((performance.now() - began) * 1e6);
    }
    const { cpu } = await receive();
    const used = cpuTime() - before + (shared ? 0 : cpu);
    console.log(JSON.stringify({ ...figures, cpu: used / (test === "trip" ? 4 * count : count) }));
  }
  close();
}

/** Obeys the near end. `flush` resolves when what was sent has left. */
export async function farEnd({ send, receive, message, flush }) {
  while (true) {
    const { test, size, count } = await receive();
    const before = cpuTime();
    if (test === "trip") {
      for (let left = 2 * count; left > 0; left--) send(await receive());
    } else {
      const payload = message(size);
      // Without waiting now and then, all of it would lie in memory.
      const several = Math.max(1, Math.min(1000, Math.floor(4 * 1024 * 1024 / size)));
      for (let sent = 1; sent <= count; sent++) {
        if (sent % several === 0) await flush(payload);
        else send(payload);
      }
    }
    send({ cpu: cpuTime() - before });
  }
}
