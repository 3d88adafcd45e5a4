// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Vm} from "forge-std/Vm.sol";

import {GovernanceBase} from "../utils/GovernanceBase.sol";

/// @notice A voting front end that knows nothing of this repository: it has two addresses, OpenZeppelin's published
/// interfaces and the chain's logs, and lists, votes, queues and executes with them.
contract DaoFrontEndTest is GovernanceBase {
    /// @notice What a front end reads out of one `ProposalCreated`.
    struct Listed {
        uint256 id;
        address proposer;
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        uint256 voteStart;
        uint256 voteEnd;
        string description;
    }

    string private constant PUBLISHED = "node_modules/@openzeppelin/contracts/build/contracts/IGovernor.json";

    bytes32 private constant BALLOT_TYPEHASH =
        keccak256("Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)");
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    IGovernor private governor;
    IVotes private votes;

    function setUp() public override {
        super.setUp();
        governor = IGovernor(payable(address(dao)));
        votes = IVotes(address(token));
        _fundFor(address(treasury), stranger, GIO);
        vm.prank(stranger);
        treasury.deposit(GIO);
    }

    /* WHAT IT ASKS FIRST */

    function test_frontEnd_recognisesAGovernor() public view {
        IERC165 probe = IERC165(address(governor));
        assertTrue(probe.supportsInterface(type(IERC165).interfaceId));
        assertTrue(probe.supportsInterface(type(IGovernor).interfaceId));
        assertFalse(probe.supportsInterface(0xffffffff));
        assertEq(governor.name(), "GIO DAO");
        assertEq(governor.version(), "1");
        assertEq(governor.COUNTING_MODE(), "support=bravo&quorum=for,abstain");
        assertEq(governor.CLOCK_MODE(), "mode=timestamp");
        assertEq(governor.CLOCK_MODE(), IERC6372(address(votes)).CLOCK_MODE());
        assertEq(governor.clock(), block.timestamp);
        assertEq(governor.votingDelay(), VOTING_DELAY);
        assertEq(governor.votingPeriod(), VOTING_PERIOD);
        assertEq(governor.proposalThreshold(), THRESHOLD);
        assertEq(governor.quorum(block.timestamp - 1), SUPPLY * 4 / 100);
        assertEq(governor.getVotes(alice.addr, block.timestamp - 1), SUPPLY / 10);
    }

    /// @notice Every function and event of the ABI OpenZeppelin publishes stands in the Dao's, word for word: a client
    /// generated from theirs is a client of ours.
    function test_frontEnd_generatedFromThePublishedAbi_fits() public view {
        string memory theirs = vm.readFile(PUBLISHED);
        bytes32[] memory ours = _signatures(vm.readFile("abi/Dao.json"), "$");
        bytes32[] memory wanted = _signatures(theirs, "$.abi");
        assertGt(wanted.length, 40, "functions, events and errors of a governor");
        for (uint256 i = 0; i < wanted.length; ++i) {
            assertTrue(_contains(ours, wanted[i]), "an item of IGovernor is missing or differs");
        }
    }

    /// @dev Of every item of an ABI: its JSON, whose keys both files write in the same order.
    function _signatures(string memory json, string memory list) private view returns (bytes32[] memory items) {
        items = new bytes32[](200);
        uint256 count = 0;
        while (vm.keyExistsJson(json, string.concat(list, "[", vm.toString(count), "]"))) {
            items[count] = _signature(json, string.concat(list, "[", vm.toString(count), "]"));
            ++count;
        }
        // forge-lint: disable-next-line(unsafe-cheatcode)
        assembly ("memory-safe") {
            mstore(items, count)
        }
    }

    function _signature(string memory json, string memory item) private view returns (bytes32) {
        string memory kind = vm.parseJsonString(json, string.concat(item, ".type"));
        string memory itemName = "";
        string memory key = string.concat(item, ".name");
        if (vm.keyExistsJson(json, key)) itemName = vm.parseJsonString(json, key); // a constructor has none
        bytes memory text = abi.encode(kind, itemName, _types(json, string.concat(item, ".inputs")));
        if (keccak256(bytes(kind)) != keccak256("function")) return keccak256(text);
        string memory mutability = vm.parseJsonString(json, string.concat(item, ".stateMutability"));
        // What only reads for them must only read for us; whether it is pure does not matter to a caller.
        bool reads =
            keccak256(bytes(mutability)) == keccak256("view") || keccak256(bytes(mutability)) == keccak256("pure");
        return keccak256(abi.encode(text, reads, _types(json, string.concat(item, ".outputs"))));
    }

    function _types(string memory json, string memory list) private view returns (string memory types) {
        for (uint256 i = 0; vm.keyExistsJson(json, string.concat(list, "[", vm.toString(i), "]")); ++i) {
            string memory parameter = string.concat(list, "[", vm.toString(i), "]");
            types = string.concat(types, vm.parseJsonString(json, string.concat(parameter, ".type")), ",");
            string memory indexed_ = string.concat(parameter, ".indexed");
            if (vm.keyExistsJson(json, indexed_) && vm.parseJsonBool(json, indexed_)) {
                types = string.concat(types, "indexed,");
            }
        }
    }

    function _contains(bytes32[] memory list, bytes32 item) private pure returns (bool) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == item) return true;
        }
        return false;
    }

    /* FROM LISTING TO EXECUTION */

    function test_frontEnd_listsVotesQueuesAndExecutes() public {
        vm.recordLogs();
        _makeTwoProposals();
        Listed[] memory list = _list();
        assertEq(list.length, 2);
        assertEq(list[0].description, "For auditors");
        assertEq(list[0].proposer, alice.addr);
        assertEq(list[0].voteStart, governor.proposalSnapshot(list[0].id));
        assertEq(list[0].voteEnd, governor.proposalDeadline(list[0].id));
        assertEq(governor.proposalProposer(list[0].id), alice.addr);
        _assertStage(list[0].id, IGovernor.ProposalState.Pending);

        vm.warp(list[0].voteStart + 1);
        _assertStage(list[0].id, IGovernor.ProposalState.Active);
        _voteThreeWays(list[0].id);
        _assertTally(list[0].id);

        vm.warp(list[0].voteEnd + 1);
        _assertStage(list[0].id, IGovernor.ProposalState.Succeeded);
        _assertStage(list[1].id, IGovernor.ProposalState.Defeated);
        _carryOut(list[0]);
        assertEq(token.allowance(address(timelock), recipient), 77);
    }

    function test_frontEnd_proposerCancelsAPendingProposal() public {
        vm.recordLogs();
        _makeTwoProposals();
        Listed memory p = _list()[1];
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, p.id, bob.addr));
        vm.prank(bob.addr);
        governor.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        vm.prank(alice.addr);
        governor.cancel(p.targets, p.values, p.calldatas, keccak256(bytes(p.description)));
        _assertStage(p.id, IGovernor.ProposalState.Canceled);
    }

    function _makeTwoProposals() private {
        Proposal memory pay = _single(address(token), abi.encodeCall(IERC20.approve, (recipient, 77)), "For auditors");
        Proposal memory other = _single(address(token), abi.encodeCall(IERC20.approve, (stranger, 1)), "For a stranger");
        vm.startPrank(alice.addr);
        governor.propose(pay.targets, pay.values, pay.calls, pay.description);
        governor.propose(other.targets, other.values, other.calls, other.description);
        vm.stopPrank();
    }

    function _list() private returns (Listed[] memory list) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        list = new Listed[](2);
        uint256 count = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IGovernor.ProposalCreated.selector) continue;
            list[count++] = _decode(logs[i].data);
        }
        assertEq(count, 2);
    }

    function _decode(bytes memory data) private pure returns (Listed memory p) {
        (p.id, p.proposer, p.targets, p.values,, p.calldatas, p.voteStart, p.voteEnd, p.description) =
            abi.decode(data, (uint256, address, address[], uint256[], string[], bytes[], uint256, uint256, string));
    }

    /// @dev For by a transaction, against with a reason, abstaining by a signature somebody else sends.
    function _voteThreeWays(uint256 id) private {
        vm.expectEmit(address(governor));
        emit IGovernor.VoteCast(alice.addr, id, FOR, SUPPLY / 10, "");
        vm.prank(alice.addr);
        governor.castVote(id, FOR);
        vm.expectEmit(address(governor));
        emit IGovernor.VoteCast(bob.addr, id, AGAINST, SUPPLY * 6 / 100, "too much");
        vm.prank(bob.addr);
        governor.castVoteWithReason(id, AGAINST, "too much");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(carol.key, _ballot(id, ABSTAIN, carol.addr));
        vm.expectEmit(address(governor));
        emit IGovernor.VoteCast(carol.addr, id, ABSTAIN, SUPPLY / 20, "");
        governor.castVoteBySig(id, ABSTAIN, carol.addr, abi.encodePacked(r, s, v));
    }

    /// @dev As a wallet would: the domain comes from the contract (ERC-5267).
    function _ballot(uint256 id, uint8 support, address voter) private view returns (bytes32) {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) =
            IERC5267(address(governor)).eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256(bytes(name)), keccak256(bytes(version)), chainId, verifier)
        );
        bytes32 ballot = keccak256(abi.encode(BALLOT_TYPEHASH, id, support, voter, uint256(0)));
        return keccak256(bytes.concat(hex"1901", domain, ballot));
    }

    function _assertTally(uint256 id) private view {
        assertTrue(governor.hasVoted(id, alice.addr));
        assertTrue(governor.hasVoted(id, carol.addr));
        assertFalse(governor.hasVoted(id, stranger));
        (uint256 against, uint256 for_, uint256 abstain) = dao.proposalVotes(id);
        assertEq(against, SUPPLY * 6 / 100);
        assertEq(for_, SUPPLY / 10);
        assertEq(abstain, SUPPLY / 20);
    }

    function _carryOut(Listed memory p) private {
        bytes32 descriptionHash = keccak256(bytes(p.description));
        assertEq(governor.hashProposal(p.targets, p.values, p.calldatas, descriptionHash), p.id);
        assertTrue(governor.proposalNeedsQueuing(p.id));
        governor.queue(p.targets, p.values, p.calldatas, descriptionHash);
        _assertStage(p.id, IGovernor.ProposalState.Queued);
        assertEq(governor.proposalEta(p.id), block.timestamp + TIMELOCK_DELAY);
        vm.warp(governor.proposalEta(p.id));
        vm.expectEmit(address(governor));
        emit IGovernor.ProposalExecuted(p.id);
        governor.execute(p.targets, p.values, p.calldatas, descriptionHash);
        _assertStage(p.id, IGovernor.ProposalState.Executed);
    }

    function _assertStage(uint256 id, IGovernor.ProposalState expected) private view {
        assertEq(uint8(governor.state(id)), uint8(expected), "stage");
    }
}
