import { assert, assertEquals } from "@std/assert";
import { compile, has } from "../core/testdata/child.ts";
import { constants } from "./_abi.ts";

Deno.test("constants are what the compiler of this machine says, where its headers know them", {
  ignore: !has("cc"),
}, async () => {
  const lines = Object.keys(constants).map((name) =>
    `#ifdef ${name}\nprintf("${name}=%lld\\n", (long long)${name});\n#endif`
  );
  const headers = ["stdio.h", "linux/memfd.h", "linux/fcntl.h"].map((header) => `#include <${header}>`);
  const source = [...headers, "int main(void) {", ...lines, 'puts("end=0"); return 0; }'].join("\n");
  const folder = await Deno.makeTempDir();
  try {
    const program = await compile(folder, "abi", source);
    const { stdout } = await new Deno.Command(program).output();
    const said = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => line.split("="));
    const expected: Record<string, number> = { ...constants, end: 0 };
    for (const [name = "", value] of said) assertEquals(Number(value), expected[name], name);
    assert(said.length > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
