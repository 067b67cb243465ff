import { benchVerb } from "../bench/verb.ts";

export default benchVerb();
