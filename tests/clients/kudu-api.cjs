// npm's kudu-api as published: it asks https://{website}.scm.azurewebsites.net and nothing else.
"use strict";

const assert = require("assert").strict;
const fs = require("fs");
const os = require("os");
const path = require("path");
const { before, describe, it } = require("node:test");
const connect = require("kudu-api");

const { APP, TOKEN, COMMIT, REMOTE } = process.env;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "kudu-api-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true }));

let api;
before(() => {
    api = connect({ website: APP, username: "dev", password: TOKEN });
});

// One run tests one family of calls, so that each is a test of its own for whoever runs this.
function family(name, tests) {
    if (name === process.env.FAMILY) describe(name, tests);
}

// A call's data and response, in whatever order its callback has them.
function call(method, ...args) {
    return new Promise((resolve, reject) =>
        method(...args, (error, first, second) => {
            if (error) return reject(error);
            const response = second || first;
            resolve({ data: second ? first : undefined, status: response.statusCode, response });
        })
    );
}

async function until(condition) {
    const deadline = Date.now() + 60_000;
    for (;;) {
        const found = await condition();
        if (found) return found;
        assert(Date.now() < deadline, "it didn't come true");
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

function file(name, text) {
    const target = path.join(scratch, name);
    fs.writeFileSync(target, text);
    return target;
}

family("environment", () => {
    it("has a version, by user name and password and by what basic says", async () => {
        assert.match((await call(api.environment.get)).data.version, /^\d/);
        const basic = Buffer.from(`dev:${TOKEN}`).toString("base64");
        const other = connect({ website: APP, basic });
        assert.match((await call(other.environment.get)).data.version, /^\d/);
    });
});

family("scm", () => {
    it("is told, cleaned and deleted", async () => {
        const info = (await call(api.scm.info)).data;
        assert.equal(info.Type, "Git");
        assert.equal(info.GitUrl, `https://${APP}.scm.azurewebsites.net/${APP}.git`);
        assert.equal((await call(api.scm.clean)).status, 204);
        const second = connect({ website: "empty", username: "dev", password: TOKEN });
        assert.equal((await call(second.scm.del)).status, 204);
    });
});

family("command", () => {
    it("runs in a directory and in the home", async () => {
        const there = (await call(api.command.exec, "echo hello world", "site")).data;
        assert.deepEqual(there, { Output: "hello world\n", Error: "", ExitCode: 0 });
        const home = (await call(api.command.exec, 'test "$PWD" = "$HOME" && ls')).data;
        assert.deepEqual(home, { Output: "data\nsite\n", Error: "", ExitCode: 0 });
        const failed = (await call(api.command.exec, "echo no >&2; exit 4")).data;
        assert.deepEqual(failed, { Output: "", Error: "no\n", ExitCode: 4 });
    });
});

family("settings", () => {
    it("are set, listed, read and deleted", async () => {
        assert.equal((await call(api.settings.set, { colour: "green", size: "3" })).status, 204);
        assert.equal((await call(api.settings.list)).data.colour, "green");
        assert.equal((await call(api.settings.get, "size")).data, "3");
        assert.equal((await call(api.settings.del, "size")).status, 204);
        assert.equal("size" in (await call(api.settings.list)).data, false);
    });
});

family("diagnostics", () => {
    it("are there from the start, kept and deleted", async () => {
        const first = (await call(api.diagnostics.list)).data;
        assert.equal(first.AzureDriveEnabled, false);
        assert.equal((await call(api.diagnostics.get, "AzureDriveEnabled")).data, false);
        await call(api.diagnostics.set, { AzureDriveEnabled: true, testSetting: true });
        assert.equal((await call(api.diagnostics.get, "AzureDriveEnabled")).data, true);
        assert.equal((await call(api.diagnostics.del, "testSetting")).status, 204);
        const last = (await call(api.diagnostics.list)).data;
        assert.deepEqual(Object.keys(last).sort(), Object.keys(first).sort());
        await assert.rejects(call(api.diagnostics.get, "foo"), (error) => error.status === 404);
    });
});

family("deployment", () => {
    it("is listed, read with its log, deployed again and deleted", async () => {
        const all = (await call(api.deployment.list)).data;
        const one = (await call(api.deployment.get, COMMIT)).data;
        assert(all.some((each) => each.id === COMMIT));
        assert.deepEqual([one.status, one.complete, one.active], [4, true, true]);
        const log = (await call(api.deployment.log, COMMIT)).data;
        assert(log.every((entry) => typeof entry.message === "string" && entry.type < 3));
        const detailed = log.find((entry) => entry.details_url !== null);
        assert(Array.isArray((await call(api.deployment.logDetails, COMMIT, detailed.id)).data));

        await call(api.deployment.redeploy, COMMIT, { clean: true });
        await until(async () => (await call(api.deployment.get, "latest")).status === 200);
        const again = (await call(api.deployment.get, COMMIT)).data;
        assert.deepEqual([again.status, again.active, again.attempt > one.attempt], [4, true, true]);

        const record = { status: 3, message: "made elsewhere", deployer: "me" };
        await call(api.deployment.redeploy, "elsewhere", record);
        assert.equal((await call(api.deployment.get, "elsewhere")).data.status, 3);
        assert.equal((await call(api.deployment.del, "elsewhere")).status, 204);
        assert.equal((await call(api.deployment.get, "elsewhere")).status, 404);
    });

    it("is made from a repository elsewhere", async () => {
        const other = connect({ website: "fetched", username: "dev", password: TOKEN });
        assert.equal((await call(other.deployment.deploy, REMOTE)).status, 202);
        const found = await until(async () => {
            const latest = await call(other.deployment.get, "latest");
            return latest.status === 200 && latest.data;
        });
        assert.deepEqual([found.status, found.active, found.id], [4, true, COMMIT]);
    });
});

family("logs", () => {
    it("are the newest lines", async () => {
        const recent = (await call(api.logs.recent)).data;
        assert(Array.isArray(recent) && recent.length <= 100);
        assert(recent.some((line) => line.message === "tick" && line.level === "Information"));
        assert.equal((await call(api.logs.recent, { top: 1 })).data.length, 1);
    });
});

family("extensions", () => {
    it("are none, and none can be installed", async () => {
        assert.deepEqual((await call(api.extensions.feed.list)).data, []);
        assert.deepEqual((await call(api.extensions.site.list, "filecounter")).data, []);
        assert.equal((await call(api.extensions.feed.get, "filecounter")).status, 404);
        assert.equal((await call(api.extensions.site.set, "x", { id: "x" })).status, 501);
        assert.equal((await call(api.extensions.site.del, "x")).status, 501);
    });
});

family("webjobs", () => {
    it("of the continuous kind are uploaded, steered and deleted", async () => {
        const script = file("run.sh", "while :; do echo up; sleep 0.1; done\n");
        const job = (await call(api.webjobs.uploadContinuous, "uploaded", script)).data;
        assert.deepEqual([job.name, job.type, job.error], ["uploaded", "continuous", null]);
        await until(async () =>
            (await call(api.webjobs.getContinuous, "uploaded")).data.status === "Running");
        assert((await call(api.webjobs.listContinuous)).data.some((j) => j.name === "uploaded"));
        assert.equal((await call(api.webjobs.stopContinuous, "uploaded")).status, 200);
        const stopped = (await call(api.webjobs.getContinuous, "uploaded")).data;
        assert.equal(stopped.status, "Stopped");
        assert.equal((await call(api.webjobs.startContinuous, "uploaded")).status, 200);
        await call(api.webjobs.setContinuousSettings, "uploaded", { is_singleton: true });
        const settings = (await call(api.webjobs.getContinuousSettings, "uploaded")).data;
        assert.equal(settings.is_singleton, true);
        assert.equal((await call(api.webjobs.deleteContinuous, "uploaded")).status, 200);
        await assert.rejects(call(api.webjobs.getContinuous, "uploaded"), /404/);
    });

    it("of the triggered kind are uploaded, run with arguments and deleted", async () => {
        const script = file("run.sh", 'echo "[$1] [$2]"\n');
        const job = (await call(api.webjobs.uploadTriggered, "uploaded-run", script)).data;
        assert.deepEqual([job.name, job.type], ["uploaded-run", "triggered"]);
        assert.equal((await call(api.webjobs.runTriggered, "uploaded-run", "'a b' c")).status, 202);
        const run = await until(async () => {
            const history = await call(api.webjobs.listTriggeredHistory, "uploaded-run");
            return history.data.runs.find((each) => each.end_time);
        });
        assert.equal(run.status, "Success");
        const one = await call(api.webjobs.getTriggeredHistory, "uploaded-run", run.id);
        assert.equal(one.data.id, run.id);
        const output = new URL(one.data.output_url).pathname.replace(/^\/(api\/)?vfs\//, "");
        assert.match((await call(api.vfs.getFile, output)).data, /\[a b\] \[c\]/);
        assert((await call(api.webjobs.listTriggered)).data.some((j) => j.name === "uploaded-run"));
        assert.equal((await call(api.webjobs.getTriggered, "uploaded-run")).data.error, null);
        assert((await call(api.webjobs.listAll)).data.length > 1);
        const swagger = (await call(api.webjobs.listTriggeredAsSwagger)).data;
        assert("/api/triggeredjobs/uploaded-run/run" in swagger.paths);
        assert.equal((await call(api.webjobs.deleteTriggered, "uploaded-run")).status, 200);
    });

    it("come from a zip too, and a bad one is told", async () => {
        const zip = process.env.JOB_ZIP;
        const job = (await call(api.webjobs.uploadTriggered, "zipped", zip)).data;
        assert.equal(job.run_command, "run.sh");
        assert.equal((await call(api.webjobs.deleteTriggered, "zipped")).status, 200);
        const bad = call(api.webjobs.uploadTriggered, "bad", file("bad.zip", "no zip"));
        await assert.rejects(bad, /400.*zip/);
    });
});

family("vfs", () => {
    it("lists, reads, writes and deletes files of the site and of data", async () => {
        for (const root of ["site/wwwroot", "data"]) {
            const folder = `${root}/by-client`;
            const first = file("first.txt", "first\n");
            assert((await call(api.vfs.createDirectory, `${root}/made`)).status < 300);
            assert((await call(api.vfs.uploadFile, first, `${folder}/a.txt`)).status < 300);
            assert.equal((await call(api.vfs.getFile, `${folder}/a.txt`)).data, "first\n");
            const listed = (await call(api.vfs.listFiles, folder)).data;
            assert.deepEqual(listed.map((each) => [each.name, each.size]), [["a.txt", 6]]);
            const tag = (await call(api.vfs.getFile, `${folder}/a.txt`)).response.headers.etag;
            const second = file("second.txt", "second\n");
            assert((await call(api.vfs.uploadFile, second, `${folder}/a.txt`, tag)).status < 300);
            await assert.rejects(call(api.vfs.uploadFile, first, `${folder}/a.txt`, tag));
            assert.equal((await call(api.vfs.getFile, `${folder}/a.txt`)).data, "second\n");
            assert((await call(api.vfs.deleteFile, `${folder}/a.txt`)).status < 300);
            assert.equal((await call(api.vfs.getFile, `${folder}/a.txt`)).status, 404);
            await call(api.vfs.deleteDirectory, folder);
        }
    });
});

family("zip", () => {
    it("goes up into the site and comes down again", async () => {
        const up = await call(api.zip.upload, process.env.JOB_ZIP, "site/wwwroot/from-zip/");
        assert.equal(up.status, 200);
        assert.match((await call(api.vfs.getFile, "site/wwwroot/from-zip/run.sh")).data, /zipped/);
        for (const from of ["site/wwwroot/from-zip/", "site/wwwroot/from-zip"]) {
            const down = path.join(scratch, "down.zip");
            assert.equal((await call(api.zip.download, from, down)).status, 200);
            await until(() => fs.existsSync(down) && fs.statSync(down).size > 0);
            assert.equal(fs.readFileSync(down).subarray(0, 2).toString(), "PK");
        }
    });
});

family("dump", () => {
    it("is a zip of logs", async () => {
        const target = path.join(scratch, "dump.zip");
        const { status, response } = await call(api.dump.download, target);
        assert.deepEqual([status, response.headers["content-type"]], [200, "application/zip"]);
        await until(() => fs.existsSync(target) && fs.statSync(target).size > 0);
        assert.equal(fs.readFileSync(target).subarray(0, 2).toString(), "PK");
    });
});

family("sshkey", () => {
    it("is made once and read again", async () => {
        const made = (await call(api.sshkey.get, true)).data;
        assert.match(made, /^ssh-/);
        assert.equal((await call(api.sshkey.get)).data, made);
    });
});
