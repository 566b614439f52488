/** How people ask for each effect. Held-out wordings are for evaluation only. */
import type { Effect } from '../../lib/audio/effects.js';

interface Wordings {
  training: readonly string[];
  heldOut: readonly string[];
}

export const INSTRUCTIONS: Record<Effect, Wordings> = {
  faster: {
    training: [
      'Make it faster.',
      'Speed up the recording.',
      'Increase the speed.',
      'Play this more quickly.',
      'Let the speaker talk faster.',
      'Please speed it up.',
      'Raise the tempo.',
    ],
    heldOut: ['Speed up the speech.', 'Make the speaker talk more quickly.'],
  },
  slower: {
    training: [
      'Make it slower.',
      'Slow down the recording.',
      'Reduce the speed.',
      'Play this more slowly.',
      'Let the speaker talk slower.',
      'Please slow it down.',
      'Lower the tempo.',
    ],
    heldOut: ['Slow down the speech.', 'Make the speaker talk more slowly.'],
  },
  higher: {
    training: [
      'Make the voice higher.',
      'Raise the pitch.',
      'Increase the pitch of the voice.',
      'Shift the pitch up.',
      'Let the speaker sound higher.',
      'Please make the pitch higher.',
      'Use a higher voice.',
    ],
    heldOut: ['Raise the pitch of the voice.', 'Make the speaker sound higher.'],
  },
  lower: {
    training: [
      'Make the voice lower.',
      'Lower the pitch.',
      'Decrease the pitch of the voice.',
      'Shift the pitch down.',
      'Let the speaker sound deeper.',
      'Please make the pitch lower.',
      'Use a deeper voice.',
    ],
    heldOut: ['Lower the pitch of the voice.', 'Make the speaker sound deeper.'],
  },
  louder: {
    training: [
      'Make it louder.',
      'Turn up the volume.',
      'Increase the volume.',
      'Raise the level of the recording.',
      'Let the speaker talk louder.',
      'Please make the speech louder.',
      'Amplify the recording.',
    ],
    heldOut: ['Turn the recording up.', 'Make the speaker louder.'],
  },
  quieter: {
    training: [
      'Make it quieter.',
      'Turn down the volume.',
      'Decrease the volume.',
      'Reduce the level of the recording.',
      'Let the speaker talk more quietly.',
      'Please make the speech quieter.',
      'Make it softer.',
    ],
    heldOut: ['Turn the recording down.', 'Make the speaker quieter.'],
  },
  echo: {
    training: [
      'Add an echo.',
      'Put an echo on the voice.',
      'Let the recording echo.',
      'Apply an echo effect.',
      'Make it sound like an echo.',
      'Please add echo to the speech.',
      'Repeat the sound as an echo.',
    ],
    heldOut: ['Add an echo to the recording.', 'Make the voice echo.'],
  },
  'low-pass': {
    training: [
      'Apply a low-pass filter.',
      'Remove the high frequencies.',
      'Make it sound muffled.',
      'Cut the treble.',
      'Filter out the high sounds.',
      'Let it sound dull.',
      'Muffle the recording.',
    ],
    heldOut: ['Cut the treble of the recording.', 'Make the voice sound muffled.'],
  },
};
