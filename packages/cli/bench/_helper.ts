/** A process beside the one that measures: it is told what to do on its standard input, and answers on its standard output. */

import { type Command, linesOf, parseCommand } from "./_wire.ts";

/** Such a process. It ends with the input that it has from here. */
export class Helper implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<string>;

  constructor(command: string, args: readonly string[]) {
    this.#child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped" }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#answers = linesOf(this.#child.stdout);
  }

  /** The number of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Tells it what to do. */
  async tell(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Its next answer. */
  async answer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("Cannot measure: a process that helps is gone");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
  }
}

/** What such a process does: it says something once it is ready, and when it has done what it was told. */
export async function help(
  obey: (command: Command, ready: (word?: string) => void) => Promise<unknown> | unknown,
): Promise<void> {
  for await (const line of linesOf(Deno.stdin.readable)) {
    const answer = await obey(parseCommand(line), (word = "ready") => console.log(word));
    console.log(JSON.stringify(answer));
  }
}

/** Answers each line of standard input with what it measures. */
export async function obeyLines(measure: (command: Command) => Promise<unknown> | unknown): Promise<void> {
  console.log(JSON.stringify({ ready: true, pids: [] }));
  for await (const line of linesOf(Deno.stdin.readable)) {
    console.log(JSON.stringify(await measure(parseCommand(line))));
  }
}
