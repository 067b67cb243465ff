/** A second process that runs a piece of TypeScript; `@core/` in it is this package's folder. */

export interface ChildOptions {
  /** Permissions and other flags of `deno run`; `-A` when left out. */
  flags?: string[];
  /** What stands before the command, such as strace. */
  before?: string[];
  cwd?: string;
  /** Strings for `Deno.args`. */
  args?: string[];
}

export interface ChildResult {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

const CORE = new URL("..", import.meta.url).href;

/** Runs `source` to its end. */
export async function runChild(source: string, options: ChildOptions = {}): Promise<ChildResult> {
  const file = await Deno.makeTempFile({ prefix: "ipc-child-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, source.replaceAll("@core/", CORE));
    const run = [
      "run",
      "--quiet",
      "--no-config",
      "--no-lock",
      "--no-check",
      ...options.flags ?? ["-A"],
      file,
    ];
    const [program = "", ...args] = [...options.before ?? [], Deno.execPath(), ...run, ...options.args ?? []];
    const settings: Deno.CommandOptions = { args, stdin: "null", stdout: "piped", stderr: "piped" };
    if (options.cwd !== undefined) settings.cwd = options.cwd;
    const { code, signal, stdout, stderr } = await new Deno.Command(program, settings).output();
    const text = new TextDecoder();
    return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } finally {
    await Deno.remove(file);
  }
}

/** Whether a program is installed. */
export function has(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** `count` times IPC_TEST_SCALE, at least 1. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * Number(Deno.env.get("IPC_TEST_SCALE") ?? 1)));
}

/** Compiles a C program; the caller removes `folder`. */
export async function compile(
  folder: string,
  name: string,
  source: string,
  flags: string[] = [],
): Promise<string> {
  const output = `${folder}/${name}`;
  await Deno.writeTextFile(`${output}.c`, source);
  const { success, stderr } = await new Deno.Command("cc", { args: [...flags, "-o", output, `${output}.c`] })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return output;
}
