/** Other programs that the tests talk to. */

/** Runs a piece of TypeScript in a process of its own, to its end; what it says, which is an error where it fails. */
export function startChild(source: string): Promise<string> {
  return run(Deno.execPath(), ["eval", "--no-lock", "--no-check", source]);
}

/** Runs a program to its end and gives what it prints; `input` is what it reads. */
export async function run(program: string, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    // Where Deno looks for the configuration that the imports need.
    cwd: new URL("..", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await child.output();
  await written;
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} failed: ${text.decode(stderr)}`);
  return text.decode(stdout);
}
