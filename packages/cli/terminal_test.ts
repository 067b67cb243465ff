/** How it looks on a terminal: a real one, as tmux has it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists, folder, install, ipc, made, until } from "./_testing.ts";

const ignore = !new Deno.Command("sh", { args: ["-c", "command -v tmux"], stdout: "null" }).outputSync()
  .success;
if (ignore) console.warn("tmux is not installed: how ipc looks on a terminal is not tested");

/** A terminal with a shell in which `ipc` is the command. */
class Terminal implements AsyncDisposable {
  readonly #socket: string;

  constructor(dir: string) {
    this.#socket = `${dir}/tmux`;
    install(dir);
    this.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      "-x",
      "100",
      "-y",
      "80",
      `exec env PATH=${dir}:$PATH PS1= sh`,
    );
  }

  type(...keys: string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  /** What is on the screen; with its colours as escape sequences where asked for. */
  screen({ colours = false } = {}): string {
    return this.#tmux("capture-pane", "-p", ...colours ? ["-e"] : []);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#tmux("kill-server");
    return Promise.resolve();
  }

  #tmux(...args: string[]): string {
    const { success, stdout, stderr } = new Deno.Command("tmux", {
      args: ["-S", this.#socket, ...args],
      clearEnv: true,
      env: {
        TERM: "xterm-256color",
        LANG: "C.UTF-8",
        PATH: Deno.env.get("PATH")!,
        HOME: Deno.env.get("HOME") ?? "/",
      },
    }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }
}

Deno.test({
  name: "on a terminal help is coloured, and not with NO_COLOR",
  ignore,
  async fn() {
    using dir = folder();
    await using terminal = new Terminal(dir.path);
    terminal.type("ipc --help; echo en''d", "Enter");
    await until(() => terminal.screen().includes("end"));
    assertStringIncludes(terminal.screen({ colours: true }), "\x1b[1mVerbs");
    terminal.type("clear; NO_COLOR=1 ipc --help; echo rea''dy", "Enter");
    await until(() => terminal.screen().includes("ready"));
    assertStringIncludes(terminal.screen(), "Verbs");
    assert(!terminal.screen({ colours: true }).includes("\x1b[1mVerbs"));
  },
});

Deno.test({
  name: "on a terminal demo shows how far it is on one line, and then the table alone",
  ignore,
  async fn() {
    using dir = folder();
    await using terminal = new Terminal(dir.path);
    Deno.writeFileSync(`${dir.path}/film`, new Uint8Array(8_000_000));
    terminal.type(`clear; ipc demo ${dir.path}/film fifo mq sysv-sem; echo en''d`, "Enter");
    await until(() => /\d+\/\d+ [\w-]+ {2}(starting|64 bytes|as much|━)/.test(terminal.screen()));
    await until(() => terminal.screen().includes("end"));
    const screen = terminal.screen();
    assertMatch(screen, /✓ 3 mechanisms, every byte checked/);
    assert(!screen.includes("━"), screen);
    for (const line of screen.split("\n")) assert([...line].length < 100, line);
  },
});

Deno.test({
  name: "on a terminal bridge counts, and Ctrl-C leaves the counts and nothing else",
  ignore,
  async fn() {
    using dir = folder();
    await using terminal = new Terminal(dir.path);
    const [from, to] = [`${dir.path}/from`, `${dir.path}/to`];
    terminal.type(
      `ipc recv fifo:${to} --listen --follow > ${dir.path}/got & ipc bridge fifo:${from} fifo:${to} --listen`,
      "Enter",
    );
    await until(() => exists(from) && exists(to));
    assertEquals((await ipc(["send", `fifo:${from}`, "a", "b"])).code, 0);
    await until(() => /2 messages · 2 B · .*\/s/.test(terminal.screen()));
    terminal.type("C-c");
    await until(() => /2 messages · 2 B · [\d.]+ m?s$/m.test(terminal.screen()));
    await until(() => !exists(from));
    assertEquals(Deno.readTextFileSync(`${dir.path}/got`), "a\nb\n");
    terminal.type("kill %1; wait", "Enter");
    await until(() => !exists(to));
  },
});

Deno.test({
  name:
    "on a terminal Ctrl-C reaches a command under a POSIX semaphore once, and the semaphore is given back",
  ignore,
  async fn() {
    using dir = folder();
    await using terminal = new Terminal(dir.path);
    await using semaphore = await made("sem", { initial: 1 });
    const value = async () => JSON.parse((await ipc(["stat", semaphore.address, "--json"])).stdout).value;
    Deno.writeTextFileSync(
      `${dir.path}/script`,
      `trap 'n=$((n + 1))' INT; echo up; until [ "$n" ]; do sleep 0.05; done; sleep 0.3; echo "caught $n"`,
    );
    terminal.type(`clear; ipc with ${semaphore.address} -- sh ${dir.path}/script; echo status $?`, "Enter");
    await until(() => /^up$/m.test(terminal.screen()));
    assertEquals(await value(), 0);
    terminal.type("C-c");
    await until(() => /^status/m.test(terminal.screen()));
    assertMatch(terminal.screen(), /^\^?C?caught 1\nstatus 0$/m);
    assertEquals(await value(), 1);

    const long = `sleep 60.${Deno.pid}`;
    terminal.type(
      `clear; for i in 1 2; do ipc with ${semaphore.address} -- ${long}; done; echo lo''op`,
      "Enter",
    );
    await until(() => isRunning(long));
    terminal.type("C-c");
    await until(async () => await value() === 1);
    terminal.type("echo sti''ll", "Enter");
    await until(() => terminal.screen().includes("still"));
    assert(!terminal.screen().includes("loop"), "the loop ends as well");
  },
});

/** Whether there is a process of this command, whatever its path. */
function isRunning(command: string): boolean {
  return [...Deno.readDirSync("/proc")].some(({ name }) => {
    try {
      const words = /^\d+$/.test(name) ? Deno.readTextFileSync(`/proc/${name}/cmdline`) : "";
      return words.replace(/^.*\//, "") === `${command.replaceAll(" ", "\0")}\0`;
    } catch {
      return false;
    }
  });
}
