// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {console} from "forge-std/console.sol";
import {Script} from "forge-std/Script.sol";
import {VmSafe} from "forge-std/Vm.sol";

import {AppPool} from "src/AppPool.sol";
import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {GioToken} from "src/GioToken.sol";
import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {MinerRegistry} from "src/MinerRegistry.sol";
import {Standing} from "src/Standing.sol";
import {Timelock} from "src/Timelock.sol";
import {Treasury} from "src/Treasury.sol";
import {Whitelist} from "src/Whitelist.sol";
import {WalletParameters} from "src/types/Wallet.sol";
import {Addresses, Plan, Plans} from "./Plan.sol";
import {Verify} from "./Verify.sol";

/// @title Deploy
/// @notice Deploys a whole market and writes its addresses file; run again on the same file and chain it only verifies.
///
/// Several contracts name each other for ever, and nobody may own the power to join them later. So each is told the
/// address the other will have, which follows from the sender's nonce, and every second one refuses a first one that
/// names somebody else.
///
/// Environment:
/// - `GIO_MINTER` the bridge, for ever the token's minter. Required.
/// - `GIO_INITIAL_HOLDER` who receives the initial supply; without it the treasury, which spends it by vote.
/// - `GIO_COURT` who may put miners' bonds at risk; without it nobody ever.
/// - `GIO_CURATOR` who may call hubs trusted until a vote ends it; without it only votes do.
/// - `GIO_PARAMETERS` the numbers, `script/parameters.json` without it.
/// - `GIO_ADDRESSES` the file to write, `deployments/<chain id>.json` without it.
contract Deploy is Script, Verify {
    /// @notice The file is of another chain.
    error FileOfOtherChain(string path, uint256 chainId);
    /// @notice Some of the file's contracts are on the chain and some are not: a broadcast was interrupted. `--resume` ends
    /// it.
    error DeployedInPart(string path);

    /// @notice What `forge script` calls.
    function run() external returns (Addresses memory a) {
        Plan memory plan = Plans.read(vm.envOr("GIO_PARAMETERS", string("script/parameters.json")));
        plan.minter = vm.envAddress("GIO_MINTER");
        plan.initialHolder = vm.envOr("GIO_INITIAL_HOLDER", address(0));
        plan.court = vm.envOr("GIO_COURT", address(0));
        plan.curator = vm.envOr("GIO_CURATOR", address(0));
        string memory standard = string.concat("deployments/", vm.toString(block.chainid), ".json");
        a = runWith(plan, vm.envOr("GIO_ADDRESSES", standard));
    }

    /// @notice Deploys and writes, or verifies what is there.
    function runWith(Plan memory plan, string memory path) public returns (Addresses memory a) {
        bool found;
        (found, a) = _find(path);
        if (found) {
            verifyFixed(a, plan);
            console.log("nothing to deploy: %s is on chain %d and as planned", path, block.chainid);
            return a;
        }
        checkPlan(plan);
        vm.startBroadcast();
        (, address sender,) = vm.readCallers();
        a = _deploy(plan, sender);
        vm.stopBroadcast();
        verifyFixed(a, plan);
        verifyVotable(a, plan);
        // A rehearsal without --broadcast must not leave a file that says otherwise.
        if (vm.isContext(VmSafe.ForgeContext.ScriptDryRun)) {
            console.log("nothing was sent: add --broadcast to deploy");
            return a;
        }
        Plans.write(path, block.chainid, a);
        console.log("deployed to chain %d, addresses in %s", block.chainid, path);
    }

    /* PRIVATE */

    /// @dev A file whose contracts are all missing is of an earlier development chain and is written anew.
    function _find(string memory path) private view returns (bool found, Addresses memory a) {
        if (!vm.exists(path)) return (false, a);
        uint256 chainId;
        (chainId, a) = Plans.addressesIn(path);
        if (chainId != block.chainid) revert FileOfOtherChain(path, chainId);
        address[11] memory list = Plans.list(a);
        uint256 coded = 0;
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].code.length != 0) ++coded;
        }
        if (coded != 0 && coded != list.length) revert DeployedInPart(path);
        return (coded != 0, a);
    }

    function _deploy(Plan memory plan, address sender) private returns (Addresses memory a) {
        // In this order: token, timelock, dao, treasury, implementation, whitelist, cases, factory, pool, registry,
        // standing.
        uint64 nonce = vm.getNonce(sender);
        a.treasury = vm.computeCreateAddress(sender, nonce + 3);
        address holder = plan.initialHolder == address(0) ? a.treasury : plan.initialHolder;
        a.token = address(new GioToken(plan.minter, holder, plan.initialSupply));
        a.dao = vm.computeCreateAddress(sender, nonce + 2);
        Timelock timelock = new Timelock(plan.timelockDelay, a.dao);
        a.timelock = address(timelock);
        a.cases = vm.computeCreateAddress(sender, nonce + 6);
        new Dao(GioToken(a.token), timelock, a.cases, plan.dao);
        new Treasury(GioToken(a.token), a.timelock, plan.treasury);

        a.walletImplementation = address(new HubWallet());
        a.factory = vm.computeCreateAddress(sender, nonce + 7);
        a.whitelist = address(new Whitelist(a.factory));
        new Cases(GioToken(a.token), a.dao, a.treasury, a.whitelist, plan.caseBondMin);
        new HubFactory(a.walletImplementation, walletParameters(a, plan));
        a.appPool = address(new AppPool());
        a.minerRegistry = address(new MinerRegistry(GioToken(a.token), plan.court, plan.registry));
        a.standing = address(new Standing(Whitelist(a.whitelist), GioToken(a.token), a.treasury, plan.curator));
    }
}
