/** How every command that takes a run says so; `locateRun` finds it. */
export const RUN_NAMES =
  'its name, MMDD-HHMM, or its folder, output/MMDD-HHMM or model_output/MMDD-HHMM; below another folder, that folder before it, FOLDER/MMDD-HHMM; a checkpoint of it will do too';

/** How every command and parameter that takes a policy says so; `policySource` finds it. */
export const POLICY_NAMES =
  "a run (its last checkpoint), or a run's iter_k or iter_k/dpo_model; below another folder, that folder before it, FOLDER/MMDD-HHMM; any other folder, or a hub name, organisation/name@revision";

/** How those say so that take the embedded policy too. */
export const POLICY_NAMES_AND_DEFAULT = `${POLICY_NAMES}; "default" is the embedded policy`;
