/** A page in a real browser, called by a program and calling it. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";

leakCheck();

const examples = new URL("../../examples/", import.meta.url).pathname;
const browser = ["chromium", "chromium-browser", "google-chrome"].find(has);

/** Whether the bundler can be had: the runtime fetches it when it is first used. */
async function bundles(): Promise<boolean> {
  if (browser === undefined) return false;
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--platform", "browser", "rpc_browser_page.ts"],
      cwd: examples,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(60_000),
    }).output();
    return success;
  } catch {
    return false;
  }
}

Deno.test("a page in a browser and a program call each other", { ignore: !await bundles() }, async () => {
  const folder = await Deno.makeTempDir();
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", `${examples}rpc_browser.ts`],
    stdin: "null",
    stdout: "piped",
    signal: AbortSignal.timeout(90_000),
  }).spawn();
  let page: Deno.ChildProcess | undefined;
  let printed = "";
  let foreign = "";
  for await (const text of program.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    const url = /^open (\S+)\n/.exec(printed)?.[1];
    if (url === undefined || page !== undefined) continue;
    foreign = await answerTo(url, "evil.example");
    page = new Deno.Command(browser!, {
      args: ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${folder}`, url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }
  const { code } = await program.status;
  try {
    page?.kill();
  } catch {
    // It has ended.
  }
  await page?.status;
  await removeSoon(folder);
  assertStringIncludes(printed, 'the page "A page that calls a program" saw: 5 values\n');
  assertEquals(code, 0);
  assertStringIncludes(foreign, "HTTP/1.1 404 ");
});

/** What a page of another name is answered that makes this name lead to this machine. */
async function answerTo(url: string, name: string): Promise<string> {
  const { port } = new URL(url);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const lines = [
    "GET /calls HTTP/1.1",
    `Host: ${name}:${port}`,
    `Origin: http://${name}:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const answer = new Uint8Array(1024);
  return new TextDecoder().decode(answer.subarray(0, await connection.read(answer) ?? 0));
}

/** The browser's helpers still write for a moment when it has ended. */
async function removeSoon(folder: string): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
