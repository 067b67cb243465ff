import { assertEquals, assertMatch } from "@std/assert";
import { has } from "../core/testdata/child.ts";

const program = new URL("./sync.ts", import.meta.url).pathname;
// The test runs on the stand-ins for @std or on the real packages, and so does what it starts.
const config = import.meta.resolve("@std/assert").startsWith("file:") ? ".deno.offline.json" : "deno.json";
const configPath = new URL(`../../${config}`, import.meta.url).pathname;

for (const path of [undefined, "/nowhere"]) {
  Deno.test(`what locks cost is measured${path === undefined ? "" : ", without cc, too"}`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "--config", configPath, program, "--quick"],
      stdin: "null",
      env: { NO_COLOR: "1", ...path !== undefined && { PATH: path } },
    }).output();
    const decoder = new TextDecoder();
    assertEquals([code, decoder.decode(stderr)], [0, ""]);
    const lines = decoder.decode(stdout).trimEnd().split("\n");
    assertEquals(lines.length, 10);
    const withC = path === undefined && has("cc");
    assertMatch(lines[1]!, withC ? /^Mutex +\d+ +\d+ +\d+ +\d+$/ : /^Mutex +\d+ +\d+ *$/);
  });
}
