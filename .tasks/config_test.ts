import { assert, assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);

async function read(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(new URL(path, root)));
}

Deno.test("the offline configuration is deno.json with links in place of tasks", async () => {
  const { tasks: _, ...shared } = await read("deno.json");
  const { links, ...offline } = await read(".deno.offline.json");
  assertEquals(offline, shared);
  assert(Array.isArray(links));
});

Deno.test("each linked stand-in is named and versioned so that Deno takes it for the import", async () => {
  const { links, imports } = await read(".deno.offline.json") as {
    links: string[];
    imports: Record<string, string>;
  };
  const standIns = await Promise.all(links.map((link) => read(`${link}/deno.json`)));
  const wanted = Object.entries(imports).filter(([, to]) => to.startsWith("jsr:"));
  assertEquals(standIns.map(({ name }) => name).sort(), wanted.map(([name]) => name).sort());
  for (const [name, to] of wanted) {
    const { version } = standIns.find((standIn) => standIn.name === name)!;
    const major = to.match(/^jsr:@[^/]+\/[^@]+@\^(\d+)\.0\.0$/)?.[1];
    assertEquals(
      String(version).split(".")[0],
      major,
      `${to} must be a caret range that ${version} satisfies`,
    );
  }
});
