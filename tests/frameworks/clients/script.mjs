// What a model does that is no model, as script.py has it: a picture is asked for, advice is followed, what failed is repeated.
export const command = JSON.parse(process.env.FRAMEWORK_COMMAND);
export const environ = JSON.parse(process.env.FRAMEWORK_ENVIRON);
const MOST_CALLS = 14;
const ADVICE = /get_prediction with id \W+(\w+)\W+(?:and wait_seconds (\d+))?/;
const who = process.env.FRAMEWORK_NAME;
const jobs = {
  long: { prompt: `sandbox:slow=${process.env.FRAMEWORK_LONG_S} a lighthouse for ${who}`, count: 1 },
  quick: { prompt: `two boats for ${who}`, count: 2 },
};

export const say = (line) => console.log(JSON.stringify(line));

// `call` gives what the model sees of an answer: { text, pictures }.
export async function fulfil(call) {
  for (const [job, wish] of Object.entries(jobs)) {
    let tool = "generate_image";
    let args = wish;
    let seen = { text: "", pictures: 0 };
    let calls = 0;
    let failures = 0;
    while (calls < MOST_CALLS && !seen.text.includes("Succeeded: ")) {
      calls += 1;
      try {
        seen = await call(tool, args);
        const [, id, seconds] = ADVICE.exec(seen.text) ?? [];
        if (id) [tool, args] = ["get_prediction", { id, wait_seconds: Number(seconds ?? 20) }];
      } catch (error) {
        failures += 1;
        seen = { text: String(error), pictures: 0 };
      }
    }
    const { text, pictures } = seen;
    say({ job, calls, failures, pictures, characters: text.length, text: text.slice(0, 4000) });
  }
}
