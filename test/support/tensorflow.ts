import { loadAddon } from '../../lib/engine/devices/tensorflow/addon.js';
import { openTensorFlow } from '../../lib/engine/devices/tensorflow/tensorflow.js';

/** Why the native TensorFlow cannot be loaded here; with SPEECH_DPO_REQUIRE_TENSORFLOW=1 that is an error. */
export const whyNoTensorFlow = ((): string | undefined => {
  try {
    loadAddon();
    return undefined;
  } catch (error) {
    if (process.env.SPEECH_DPO_REQUIRE_TENSORFLOW === '1') throw error;
    const { message } = error as Error;
    console.warn(
      `Skipped: tests on the native TensorFlow (SPEECH_DPO_REQUIRE_TENSORFLOW=1 makes them mandatory): ${message}`,
    );
    return message;
  }
})();

export { openTensorFlow };
