// A struct in a file that this program and one in C both map: C fills the readings of a sensor in, and they are read
// here by their names. What C has to know comes from the struct itself, with assertions that both mean the same; so
// neither can take the bytes of the other for something else. Run: deno run -A examples/struct_with_c.ts
import { MappedFile } from "@ipc/mmap";
import { array, atomic, chars, f64, i64, Segment, struct } from "@ipc/mmap/struct";

const Reading = struct({ time: i64, celsius: f64 }, { name: "reading" });
const Sensor = struct({ name: chars(32), readings: array(Reading, 16), count: atomic.u32 }, {
  name: "sensor",
});

const folder = await Deno.makeTempDir();
await Deno.writeTextFile(`${folder}/sensor.h`, Sensor.toC());
const source = new URL("struct_with_c.c", import.meta.url).pathname;
const compiler = await new Deno.Command("cc", { args: ["-I", folder, "-o", `${folder}/sensor`, source] })
  .output();
if (!compiler.success) throw new Error(new TextDecoder().decode(compiler.stderr));

using file = MappedFile.open(`${folder}/state`, { create: true, size: Segment.byteLength(Sensor) });
const { view: sensor } = Segment.create(file, Sensor);
sensor.name = "Küche";
const other = new Deno.Command(`${folder}/sensor`, { args: [`${folder}/state`] }).spawn();

let seen = 0;
while (seen < 5) {
  const count = await sensor.count.wait(seen, { timeout: 10_000 }); // sleeps until C wakes us
  for (; seen < count; seen++) {
    const { time, celsius } = sensor.readings.at(seen);
    console.log(`${sensor.name} at ${time}: ${celsius} degrees`);
  }
}
console.log("C ended with status", (await other.status).code);
await Deno.remove(folder, { recursive: true });
