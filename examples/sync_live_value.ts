// A live value: three processes share one state, and each reacts to what the others change in it. The room gets
// warmer as long as the heating is on, the thermostat switches it off at 20 degrees, and the display shows the newest
// state whenever there is another. It is always read whole. Run: deno run -A examples/sync_live_value.ts
import { bool, f64, struct } from "@ipc/mmap/struct";
import { SharedMemory } from "@ipc/posix";
import { SeqLock } from "@ipc/sync";

const State = struct({ celsius: f64, heating: bool });
const [role, name = `/ipc-example-${crypto.randomUUID()}`] = Deno.args;

if (role === undefined) {
  using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
  using state = SeqLock.initialize(memory, 0, State, { celsius: 18, heating: true });
  const others = ["room", "thermostat"].map((role) =>
    new Deno.Command(Deno.execPath(), { args: ["run", "-A", import.meta.filename!, role, name] }).spawn()
  );
  for await (const { celsius, heating } of state.subscribe()) {
    console.log(`${celsius} degrees, the heating is ${heating ? "on" : "off"}`);
    if (!heating) break;
  }
  for (const other of others) await other.status;
} else {
  using memory = SharedMemory.open(name);
  using state = SeqLock.at(memory, 0, State);
  if (role === "room") {
    while (state.read().heating) {
      state.update((draft) => void (draft.celsius += 0.25));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } else {
    for await (const { celsius } of state.subscribe()) {
      if (celsius < 20) continue;
      state.update((draft) => void (draft.heating = false));
      break;
    }
  }
}
