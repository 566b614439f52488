/** Everyday short sentences, made from templates over word lists: the same list every time. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

const WORDS: Record<string, readonly string[]> = {
  person:
    words(`my brother|my sister|the teacher|our neighbor|the doctor|her mother|his father|the driver|the cook|a friend|
    the farmer|the manager|my uncle|the nurse|the captain|our guide|the painter|the old man|a young girl|the baker`),
  name: words(
    `Anna|Peter|Maria|John|Susan|David|Emma|Robert|Julia|Thomas|Sarah|Daniel|Helen|Michael|Laura|Simon|Nina|Oliver`,
  ),
  object:
    words(`letter|ticket|basket|blanket|camera|bottle|hammer|ladder|jacket|pencil|window|mirror|wallet|radio|guitar|bucket|
    candle|pillow|magazine|suitcase|umbrella|keyboard|newspaper|notebook|lamp|clock|box|map|knife|ball`),
  adjective:
    words(`old|new|small|large|broken|heavy|clean|dirty|yellow|green|brown|empty|wooden|plastic|cheap|expensive|
    strange|beautiful|simple|useful`),
  color: words(`red|blue|green|white|black|yellow|purple|orange|gray|pink`),
  place:
    words(`kitchen|garden|office|library|station|market|hotel|school|museum|theater|harbor|village|hospital|factory|
    restaurant|bakery|airport|church|park|bank`),
  container: words(`table|shelf|chair|desk|sofa|bench|counter|floor|roof|porch`),
  food: words(`soup|bread|cheese|rice|chicken|pasta|salad|apple pie|butter|honey|chocolate|potatoes|tomatoes|pancakes|sandwiches|
    noodles|cookies|bananas|fish|eggs`),
  drink: words(`coffee|tea|milk|water|orange juice|lemonade|cocoa|beer`),
  animal: words(
    `dog|cat|horse|bird|rabbit|sheep|goat|monkey|duck|mouse|fox|tiger|turtle|donkey|squirrel|puppy`,
  ),
  day: words(`Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday`),
  time: words(`today|tomorrow|tonight|this morning|this evening|next week|after lunch|before noon|on Monday|on Friday|at noon|
    at midnight|every day|in the summer|in the winter`),
  past: words(
    `yesterday|last night|last week|two days ago|this morning|on Sunday|a year ago|an hour ago|last summer|on Tuesday`,
  ),
  number: words(`two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|fifty`),
  did: words(
    `found|lost|bought|sold|carried|dropped|painted|repaired|borrowed|cleaned|opened|forgot|moved|stole|wrapped|ordered`,
  ),
  will: words(`find|buy|sell|carry|paint|repair|borrow|clean|open|bring|move|send|order|use|keep`),
  went: words(`walked|drove|ran|hurried|traveled|returned|went|moved`),
  weather: words(`rain|snow|wind|fog|storm|sunshine|thunder|frost`),
  feeling: words(
    `happy|tired|hungry|angry|nervous|surprised|sleepy|worried|proud|lonely|excited|calm|bored|thirsty`,
  ),
  activity:
    words(`swimming|dancing|reading|cooking|singing|fishing|running|painting|sleeping|talking|working|shopping|climbing|
    skating|gardening`),
  adverb: words(`slowly|quickly|quietly|loudly|carefully|happily|suddenly|gently|finally|badly`),
  vehicle: words(`bus|train|truck|bicycle|boat|taxi|plane|car|tractor|wagon`),
  city: words(`London|Paris|Boston|Berlin|Chicago|Madrid|Denver|Dublin|Vienna|Seattle|Athens|Houston`),
  subject: words(`history|music|science|English|geography|football|chess|poetry|math|biology|cooking|tennis`),
};

const TEMPLATES: readonly string[] = [
  '{person} {did} the {adjective} {object} {past}',
  '{name} {did} a {color} {object} in the {place}',
  'please put the {adjective} {object} on the {container}',
  'the {animal} is {activity} behind the {place}',
  'we will {will} the {object} {time}',
  'there are {number} {color} chairs in the {place}',
  'do you want some {drink} with your {food}?',
  '{name} {went} {adverb} to the {place}',
  'I was very {feeling} after the long {vehicle} ride',
  'the {vehicle} to {city} leaves at {number}',
  'can you {will} this {object} for {name}?',
  'the {weather} was terrible in {city} {past}',
  '{person} likes {activity} more than {activity}',
  'my favorite subject at school is {subject}, not {subject}',
  'a {color} {animal} sat under the {container}',
  'she made {food} and {food} for dinner',
  'he forgot his {object} at the {place} {past}',
  'you should {will} the {object} before {day}',
  '{name} and {name} are {feeling} {time}',
  'it takes {number} hours to reach {city} by {vehicle}',
  'who left the {adjective} {object} near the {place}?',
  'they {did} {number} boxes of {food} {past}',
  'the {place} is closed on {day} and {day}',
  'I think {person} looks {feeling} {time}',
  'where did {name} put the {color} {object}?',
  'our {animal} ate all of the {food}',
  'take the {color} {vehicle} to the {place}',
  'the {adjective} {object} belongs to {person}',
  '{name} teaches {subject} in {city} on {day}',
  'he spoke {adverb} about his trip to {city}',
  'I would rather drink {drink} than {drink}',
  'the children were {activity} in the {weather}',
  '{person} never eats {food} in the {place}',
  'turn left at the {place} and keep going',
  'she opened the {object} {adverb} and smiled',
  'a cup of {drink} costs {number} dollars here',
  'we saw a {adjective} {vehicle} in {city}',
  'the {animal} jumped {adverb} over the {object}',
  'did {person} call you about the {object}?',
  'nobody knows why {name} is so {feeling}',
  'he learned {subject} from a book about {city}',
  'bring {number} bottles of {drink} to the {place}',
  'there was {weather} all day in the {place}',
  'I will meet {name} at the {place} {time}',
];

function words(list: string): readonly string[] {
  return list.split('|').map((word) => word.trim());
}

/** `template` with every {slot} replaced by `choose(slot)`, as a sentence with a capital and a full stop or question mark. */
function fill(template: string, choose: (slot: string) => string): string {
  const text = template
    .replace(/\{(\w+)\}/g, (_, slot: string) => choose(slot))
    .replace(/\ba (?=[aeiou])/g, 'an ');
  return text[0]!.toUpperCase() + text.slice(1) + (text.endsWith('?') ? '' : '.');
}

/**
 * The first `count` distinct sentences of a fixed pseudo-random sequence (asking for more keeps the earlier ones). A sentence
 * uses no word of a list twice. Throws when the templates run out of new sentences.
 */
export function makePhrases(count: number): string[] {
  const random = xoroshiro128plus(20240229);
  const phrases = new Set<string>();
  for (let attempts = 0; phrases.size < count; attempts++) {
    if (attempts > 50 * count)
      throw new Error(`The templates gave only ${phrases.size} of ${count} distinct sentences.`);
    const used = new Set<string>();
    const choose = (slot: string): string => {
      const free = WORDS[slot]!.filter((word) => !used.has(word));
      const word = free[uniformInt(random, 0, free.length - 1)]!;
      used.add(word);
      return word;
    };
    phrases.add(fill(TEMPLATES[uniformInt(random, 0, TEMPLATES.length - 1)]!, choose));
  }
  return [...phrases];
}
