/** The models in models/, each of which has to hold, and each broken variant of which must not: by spin(1). */

import { assert, assertEquals } from "@std/assert";
import { has } from "../core/testdata/child.ts";

const MODELS = new URL("models/", import.meta.url);
const ignore = !has("spin") || !has("cc");

/** Runs a command in a folder. */
async function run(cwd: string, program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  assert(success, text);
  return text;
}

/** How many errors a model has, in all that its processes can do. */
async function errorsOf(model: string, flags: string[]): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-model-" });
  try {
    await run(folder, "spin", ["-a", ...flags, new URL(model, MODELS).pathname]);
    await run(folder, "cc", ["-DSAFETY", "-DMEMLIM=2000", "-w", "-o", "pan", "pan.c"]);
    const report = await run(folder, "./pan", ["-m10000"]);
    const errors = /errors: (\d+)/.exec(report)?.[1];
    assert(errors !== undefined && !/max search depth too small|out of memory/.test(report), report);
    return Number(errors);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const models = [...Deno.readDirSync(MODELS)].map(({ name }) => name).filter((name) => name.endsWith(".pml"));

for (const model of models.sort()) {
  const source = Deno.readTextFileSync(new URL(model, MODELS));
  const broken = [...new Set(source.match(/\bBUG_\w+/g))];

  Deno.test({
    name: `model ${model}: nothing goes wrong in any order of steps; something does with ${
      broken.join(", ")
    }`,
    ignore,
    fn: async () => {
      assert(broken.length > 0);
      const variants = [[], ...broken.map((bug) => [`-D${bug}`])];
      const errors = await Promise.all(variants.map((flags) => errorsOf(model, flags)));
      assertEquals(errors.shift(), 0);
      assertEquals(broken.filter((_, index) => errors[index] === 0), []);
    },
  });
}
