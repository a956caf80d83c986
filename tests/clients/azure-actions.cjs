// npm's azure-actions-appservice-rest as published, the way azure/webapps-deploy uses it.
"use strict";

const assert = require("assert").strict;
const fs = require("fs");
const os = require("os");
const path = require("path");
const { describe, it } = require("node:test");

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "azure-actions-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true }));
Object.assign(process.env, {
    GITHUB_SHA: "9fceb02d0ae598e95dc970b74767f19372d61af8",
    GITHUB_REPOSITORY: "ada/shop",
    GITHUB_ACTOR: "ada",
    RUNNER_TEMP: scratch,
});
const { Kudu } = require("azure-actions-appservice-rest/Kudu/azure-app-kudu-service");
const { KuduServiceUtility } = require("azure-actions-appservice-rest/Utilities/KuduServiceUtility");

const { BASE, TOKEN, SITE_ZIP, BAD_ZIP } = process.env;
const kudu = new Kudu(BASE, { username: "dev", password: TOKEN });
const utility = new KuduServiceUtility(kudu);
const read = (place, name) => kudu.getFileContent(place, name);

// One run tests one family of calls, so that each is a test of its own for whoever runs this.
function family(name, tests) {
    if (name === process.env.FAMILY) describe(name, tests);
}

family("facts", () => {
    it("are told to Basic and to Bearer", async () => {
        for (const client of [kudu, new Kudu(BASE, TOKEN)]) {
            assert.equal((await client.getAppSettings()).colour, "green");
            const runtime = await client.getAppRuntime();
            assert(Array.isArray(runtime.nodejs) && runtime.system.cores > 0);
        }
        await utility.warmpUp();
    });
});

family("zipdeploy", () => {
    it("deploys, is polled, and its deployment is there", async () => {
        const id = await utility.deployUsingZipDeploy(SITE_ZIP, { slotName: "production" });
        const found = await kudu.getDeploymentDetails(id);
        assert.deepEqual([found.status, found.active], [4, true]);
        assert.equal(found.deployer, "GITHUB_ZIP_DEPLOY");
        assert.equal(JSON.parse(found.message).slotName, "production");
        const log = await kudu.getDeploymentLogs(found.log_url);
        for (const entry of log.filter((each) => each.details_url)) {
            assert(Array.isArray(await kudu.getDeploymentLogs(entry.details_url)));
        }
        assert.equal(await read("site/wwwroot", "index.html"), "<p>zipped</p>\n");
        await utility.postZipDeployOperation(id, id);
    });

    it("without isAsync answers when it is done", async () => {
        assert.equal(await kudu.zipDeploy(SITE_ZIP, ["deployer=GITHUB"]), null);
        await utility.deployUsingRunFromZip(SITE_ZIP, {});
    });

    it("that can't be is told, and what was live stays", async () => {
        await assert.rejects(utility.deployUsingZipDeploy(BAD_ZIP, {}));
        assert.equal(await read("site/wwwroot", "index.html"), "<p>zipped</p>\n");
    });
});

family("publish", () => {
    it("deploys a zip and a file as OneDeploy does", async () => {
        const id = await utility.deployUsingOneDeploy(SITE_ZIP, {}, undefined, "zip", "true", "true");
        assert.equal((await kudu.getDeploymentDetails(id)).deployer, "GITHUB_ONE_DEPLOY");
        const page = path.join(scratch, "about.html");
        fs.writeFileSync(page, "<p>about</p>\n");
        const target = "/home/site/wwwroot/about.html";
        await utility.deployUsingOneDeploy(page, {}, target, "static", undefined, undefined);
        assert.equal(await read("site/wwwroot", "about.html"), "<p>about</p>\n");
        assert.equal(await read("site/wwwroot", "index.html"), "<p>zipped</p>\n");
    });
});

family("history", () => {
    it("takes a deployment that was made elsewhere", async () => {
        for (const [success, status] of [[true, 4], [false, 3]]) {
            const id = await utility.updateDeploymentStatus(success, null, { type: "deployment" });
            assert(id.startsWith(process.env.GITHUB_SHA));
            const found = await kudu.getDeploymentDetails(id);
            assert.deepEqual([found.status, found.author], [status, "ada"]);
        }
    });
});

family("files", () => {
    it("are written, read, deleted and unpacked", async () => {
        const note = path.join(scratch, "note.txt");
        fs.writeFileSync(note, "a note\n");
        for (const place of ["site/wwwroot/notes", "\\data\\notes", "/home/data"]) {
            await kudu.uploadFile(place, "note.txt", note);
            assert.equal(await read(place, "note.txt"), "a note\n");
            await kudu.deleteFile(place, "note.txt");
            assert.equal(await read(place, "note.txt"), null);
            await kudu.deleteFile(place, "note.txt");
        }
        await kudu.extractZIP(SITE_ZIP, "/site/wwwroot/unpacked");
        assert.equal(await read("site/wwwroot/unpacked", "index.html"), "<p>zipped</p>\n");
    });
});

family("command", () => {
    it("runs with a lie for its content type", async () => {
        await kudu.runCommand("site\\wwwroot", "echo ran > $HOME/data/ran.txt");
        assert.equal(await read("data", "ran.txt"), "ran\n");
    });
});

family("absent", () => {
    it("is what only Azure has, and is told at once", async () => {
        await assert.rejects(kudu.imageDeploy({ LinuxFxVersion: "DOCKER|x" }), /501/);
        await assert.rejects(kudu.warDeploy(SITE_ZIP, ["isAsync=true"]), /501/);
    });
});
