// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Test} from "forge-std/Test.sol";

import {Deploy} from "../../script/Deploy.s.sol";
import {Addresses, Plan, Plans} from "../../script/Plan.sol";
import {Verify} from "../../script/Verify.sol";
import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {GioToken} from "src/GioToken.sol";
import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Timelock} from "src/Timelock.sol";
import {Treasury} from "src/Treasury.sol";
import {WalletState} from "src/types/Wallet.sol";

/// @notice The deployment script (GV-15): everything from nothing, checked, and nothing at all the second time.
contract DeployTest is Test {
    Deploy private script = new Deploy();

    function _plan() private returns (Plan memory plan) {
        plan = Plans.read("script/parameters.json");
        plan.minter = makeAddr("bridge");
        plan.initialHolder = makeAddr("holder");
        plan.court = makeAddr("court");
        plan.curator = makeAddr("curator");
    }

    /// @dev Every test has a file of its own: they run at the same time.
    function _path(string memory name) private returns (string memory path) {
        path = string.concat("deployments/test-", name, ".json");
        if (vm.exists(path)) vm.removeFile(path);
    }

    /* WHAT IT REFUSES */

    function _refused(Plan memory plan, string memory why) private {
        string memory path = _path("refused");
        vm.expectRevert(abi.encodeWithSelector(Verify.PlanInvalid.selector, why));
        script.runWith(plan, path);
        assertFalse(vm.exists(path));
    }

    function test_gv15_planNoMarketCouldWorkWith_reverts() public {
        Plan memory plan = _plan();
        plan.minter = address(0);
        _refused(plan, "the token needs a minter");
        plan = _plan();
        plan.dao.votingPeriod = plan.wallet.payoutPeriod;
        _refused(plan, "a case takes longer than a payout period");
        plan = _plan();
        plan.initialSupply = plan.dao.proposalThreshold;
        _refused(plan, "nobody could propose");
    }

    function test_gv15_fileOfOtherChain_reverts() public {
        string memory path = _path("other-chain");
        Addresses memory none;
        Plans.write(path, 1, none);
        vm.expectRevert(abi.encodeWithSelector(Deploy.FileOfOtherChain.selector, path, 1));
        script.runWith(_plan(), path);
        vm.removeFile(path);
    }

    function test_gv15_interruptedDeployment_reverts() public {
        string memory path = _path("in-part");
        Addresses memory a = script.runWith(_plan(), path);
        vm.etch(a.cases, "");
        vm.expectRevert(abi.encodeWithSelector(Deploy.DeployedInPart.selector, path));
        script.runWith(_plan(), path);
        vm.removeFile(path);
    }

    function test_gv15_otherParametersThanDeployed_revert() public {
        string memory path = _path("other-plan");
        script.runWith(_plan(), path);
        Plan memory plan = _plan();
        plan.treasury.expropriationLock += 1;
        _mismatch(plan, path, "treasury: lock");
        plan = _plan();
        plan.minter = makeAddr("other");
        _mismatch(plan, path, "token: minter");
        plan = _plan();
        plan.wallet.lockPercent += 1;
        _mismatch(plan, path, "factory: parameters");
        plan = _plan();
        plan.dao.graveQuorumPercent += 1;
        _mismatch(plan, path, "dao: grave quorum");
        plan = _plan();
        plan.registry.grace += 1;
        _mismatch(plan, path, "registry: delay");
        plan = _plan();
        plan.caseBondMin += 1;
        _mismatch(plan, path, "cases: bond");
        vm.removeFile(path);
    }

    function _mismatch(Plan memory plan, string memory path, string memory what) private {
        vm.expectRevert(abi.encodeWithSelector(Verify.Mismatch.selector, what));
        script.runWith(plan, path);
    }

    /* WHAT IT DOES */

    function test_gv15_deploysEverything_andDoesNothingAgain() public {
        string memory path = _path("twice");
        (, address sender,) = vm.readCallers();
        uint64 before = vm.getNonce(sender);
        Addresses memory first = script.runWith(_plan(), path);
        assertEq(vm.getNonce(sender), before + 11);
        address[11] memory list = Plans.list(first);
        for (uint256 i = 0; i < list.length; ++i) {
            assertGt(list[i].code.length, 0, "a contract is missing");
        }
        (uint256 chainId, Addresses memory written) = Plans.addressesIn(path);
        assertEq(chainId, block.chainid);
        assertEq(keccak256(abi.encode(written)), keccak256(abi.encode(first)));

        Addresses memory second = script.runWith(_plan(), path);
        assertEq(keccak256(abi.encode(second)), keccak256(abi.encode(first)));
        assertEq(vm.getNonce(sender), before + 11, "nothing was sent");
        vm.removeFile(path);
    }

    /// @dev A development chain that was thrown away leaves its file behind.
    function test_gv15_fileOfAnEarlierChain_isWrittenAnew() public {
        string memory path = _path("earlier");
        Addresses memory gone;
        gone.token = makeAddr("gone");
        Plans.write(path, block.chainid, gone);
        Addresses memory a = script.runWith(_plan(), path);
        (, Addresses memory written) = Plans.addressesIn(path);
        assertEq(written.token, a.token);
        vm.removeFile(path);
    }

    /// @notice What a vote changed does not make the deployment wrong.
    function test_gv15_changedByVote_isStillAsPlanned() public {
        string memory path = _path("voted");
        Addresses memory a = script.runWith(_plan(), path);
        vm.prank(a.timelock);
        Timelock(payable(a.timelock)).updateDelay(5 days);
        script.runWith(_plan(), path);
        vm.removeFile(path);
    }

    function test_r29_withoutHolder_theTreasuryHoldsTheSupply() public {
        string memory path = _path("treasury");
        Plan memory plan = _plan();
        plan.initialHolder = address(0);
        Addresses memory a = script.runWith(plan, path);
        assertEq(GioToken(a.token).balanceOf(a.treasury), plan.initialSupply);
        assertEq(Treasury(a.treasury).bucket(0).amount, plan.initialSupply);
        vm.removeFile(path);
    }

    function test_gv15_theMarketWorks() public {
        string memory path = _path("works");
        Plan memory plan = _plan();
        Addresses memory a = script.runWith(plan, path);
        vm.prank(makeAddr("hub"));
        HubWallet wallet = HubWallet(HubFactory(a.factory).createHub("first"));
        assertEq(uint8(wallet.state()), uint8(WalletState.Created));
        assertEq(wallet.dao(), a.timelock);
        assertEq(Dao(payable(a.dao)).cases(), a.cases);
        assertEq(Cases(a.cases).bondMin(), plan.caseBondMin);
        assertEq(GioToken(a.token).balanceOf(plan.initialHolder), plan.initialSupply);
        vm.removeFile(path);
    }

    /// @notice SONM's market could be killed by its owner, who then held all escrow. Nothing here can destroy itself, or run
    /// foreign code in its own place.
    function test_sonm_nothingCanBeKilled() public {
        string memory path = _path("killed");
        address[11] memory list = Plans.list(script.runWith(_plan(), path));
        for (uint256 i = 0; i < list.length; ++i) {
            assertFalse(_hasOpcode(list[i].code, 0xff), "SELFDESTRUCT");
            assertFalse(_hasOpcode(list[i].code, 0xf4), "DELEGATECALL");
            assertFalse(_hasOpcode(list[i].code, 0xf2), "CALLCODE");
        }
        assertTrue(_hasOpcode(hex"6001ff", 0xff), "the scan finds it");
        assertFalse(_hasOpcode(hex"60ff00", 0xff), "but not in data");
        vm.removeFile(path);
    }

    function _hasOpcode(bytes memory code, bytes1 opcode) private pure returns (bool) {
        for (uint256 i = 0; i < code.length; ++i) {
            if (code[i] == opcode) return true;
            uint8 op = uint8(code[i]);
            if (op >= 0x60 && op <= 0x7f) i += op - 0x5f; // PUSH1 to PUSH32 carry data
        }
        return false;
    }

    function test_parameters_outOfRange_revert() public {
        string memory path = _path("range");
        vm.writeFile(path, vm.replace(vm.readFile("script/parameters.json"), '"lockPercent": 30', '"lockPercent": 300'));
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 8, 300));
        this.read(path);
        vm.removeFile(path);
    }

    function read(string calldata path) external view returns (Plan memory) {
        return Plans.read(path);
    }
}
