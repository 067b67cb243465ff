import { assertEquals } from "@std/assert";
import { runChild } from "../testdata/child.ts";

/** Each of these must end with exit code 0: what they do afterwards would be a SIGSEGV on unmapped memory. */
const survivals: Record<string, string> = {
  "close under optimised loops": `
    function fill(view) { for (let i = 0; i < view.length; i++) view[i] = i; }
    function sum(view) { let s = 0; for (let i = 0; i < 64; i++) s += view[i]; return s; }
    function add(view) { return Atomics.add(view, 3, 1); }
    for (let round = 0; round < 300; round++) {
      const mapping = Mapping.anonymous(65536);
      const view = new Int32Array(mapping.buffer);
      for (let i = 0; i < 20; i++) { fill(view); sum(view); add(view); }
      mapping.close();
      fill(view); sum(view);
      try { add(view); throw new Error("Atomics on a closed mapping"); } catch (e) { if (!(e instanceof TypeError || e instanceof RangeError)) throw e; }
      for (const call of [() => view.sort(), () => view.fill(1), () => view.copyWithin(0, 1)]) {
        try { call(); } catch (e) { if (!(e instanceof TypeError)) throw e; }
      }
    }`,
  "close inside a callback of an array method": `
    const mapping = Mapping.anonymous(65536);
    const view = new Int32Array(mapping.buffer);
    view.forEach((_, index) => { if (index === 9) mapping.close(); });
    const other = Mapping.anonymous(65536);
    const words = new Int32Array(other.buffer);
    words.sort((a, b) => { other.close(); return a - b; });
    const third = Mapping.anonymous(65536);
    const target = new Uint8Array(third.buffer);
    try { target.fill({ valueOf() { third.close(); return 1; } }); } catch (e) { if (!(e instanceof TypeError)) throw e; }`,
  "the buffer was transferred away": `
    const mapping = Mapping.anonymous(65536);
    const moved = mapping.buffer.transfer();
    const view = new Uint8Array(moved);
    view.fill(7);
    mapping.close();
    if (view.length !== 65536 || view.some((byte) => byte !== 0)) throw new Error("not zero pages");
    view.fill(1);`,
  "the buffer was transferred by postMessage": `
    const mapping = Mapping.anonymous(65536);
    const { port1, port2 } = new MessageChannel();
    const arrived = new Promise((resolve) => port2.onmessage = (event) => resolve(event.data));
    port1.postMessage(mapping.buffer, [mapping.buffer]);
    mapping.close();
    const view = new Uint8Array(await arrived);
    view.fill(1);
    port1.close(); port2.close();`,
  "the buffer was transferred to a Worker that goes on writing": `
    const source = "onmessage = (e) => { const v = new Int32Array(e.data); postMessage(0); for (;;) v.fill(1); }";
    const worker = new Worker("data:text/javascript," + encodeURIComponent(source), { type: "module" });
    const mapping = Mapping.anonymous(65536);
    const running = new Promise((resolve) => worker.onmessage = resolve);
    worker.postMessage(mapping.buffer, [mapping.buffer]);
    await running;
    mapping.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    worker.terminate();
    Deno.exit(0);`,
  "a part was transferred away with another length": `
    const mapping = Mapping.anonymous(65536);
    const moved = mapping.buffer.transferToFixedLength();
    const smaller = structuredClone(moved, { transfer: [moved] });
    mapping.close();
    new Uint8Array(smaller).fill(1);`,
  "a pinned mapping is closed while a call on another thread writes into it": `
    import { libc } from "@core/sys/_libc.ts";
    import { bind } from "@core/sys/mod.ts";
    const parked = bind({ parked: { name: "read", parameters: ["i32", "buffer", "usize"], result: "i32", nonblocking: true } });
    const ends = new Int32Array(2);
    libc.pipe2(ends, 0x80000);
    const mapping = Mapping.anonymous(65536);
    const pin = mapping.pin();
    const call = parked.parked(ends[0], mapping.bytes, 65536n);
    await new Promise((resolve) => setTimeout(resolve, 20));
    mapping.close();
    libc.write(ends[1], new Uint8Array(100).fill(1), 100n);
    if (await call !== 100) throw new Error("the call had no memory to write to");
    pin[Symbol.dispose]();`,
};

for (const [name, source] of Object.entries(survivals)) {
  Deno.test(`Mapping survives: ${name}`, async () => {
    const result = await runChild(`import { Mapping } from "@core/sys/mod.ts";\n${source}`);
    assertEquals(result, { code: 0, signal: null, stdout: "", stderr: "" });
  });
}
