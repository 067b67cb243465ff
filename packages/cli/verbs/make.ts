import { make } from "@ipc/address";
import { about } from "../_failure.ts";
import { mode } from "../_options.ts";
import { verb } from "../_verb.ts";

export default verb({
  text: ["The mode is exact: the umask takes nothing from it."],
  options: {
    mode: mode("MODE", "permissions in octal, 600 unless told"),
  },
  examples: [
    ["ipc make fifo:/run/in", "for this user alone"],
    ["ipc make fifo:/run/in --mode 620", "one group may write"],
  ],
  async run({ operands, options }) {
    const [address] = operands as [string];
    await about(address, () => make(address, { mode: options.mode }));
  },
});
