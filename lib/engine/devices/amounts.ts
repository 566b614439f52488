/** How devices say what they can hold. */

export const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

const millions = (count: number): string => `${Math.floor(count / 1e6)} million`;

/** What a training of so many parameters is called where it does not fit. */
export const trainingOf = (parameters: number, most: number): string =>
  `training a model of ${millions(parameters)} parameters (at most ${millions(most)} can be trained)`;
