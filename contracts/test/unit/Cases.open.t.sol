// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Cases} from "src/Cases.sol";
import {ICases} from "src/interfaces/ICases.sol";
import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {IWhitelist} from "src/interfaces/IWhitelist.sol";
import {Case, CaseKind, CaseOutcome} from "src/types/Governance.sol";
import {WalletState} from "src/types/Wallet.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";
import {GovernedWallet} from "../utils/GovernedWallet.sol";

/// @notice Opening a case: anyone with a bond and evidence (GV-12, R8), an appeal by the hub alone.
contract CasesOpenTest is GovernanceBase {
    bytes32 private constant EVIDENCE = keccak256("evidence");
    string private constant WHERE = "https://evidence.example/7";

    function setUp() public override {
        super.setUp();
        _fundFor(address(cases), stranger, 1000 * GIO);
        _fundFor(address(cases), hub, 1000 * GIO);
    }

    function _text(uint256 length) private pure returns (string memory) {
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            text[i] = "x";
        }
        return string(text);
    }

    /* CONSTRUCTOR */

    function _refused(address token_, address dao_, address treasury_, address whitelist_, uint128 min) private {
        vm.expectRevert(ICases.CasesParametersInvalid.selector);
        new Cases(IERC20(token_), dao_, treasury_, whitelist_, min);
    }

    function test_constructor_contractsWithoutCode_revert() public {
        address none = makeAddr("no code");
        _refused(none, address(dao), address(treasury), address(whitelist), BOND_MIN);
        _refused(address(token), none, address(treasury), address(whitelist), BOND_MIN);
        _refused(address(token), address(dao), none, address(whitelist), BOND_MIN);
        _refused(address(token), address(dao), address(treasury), none, BOND_MIN);
        _refused(address(token), address(dao), address(treasury), address(whitelist), 0);
    }

    function test_constructor_daoOfOtherCases_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ICases.DaoOfOtherCases.selector, address(cases)));
        new Cases(token, address(dao), address(treasury), address(whitelist), BOND_MIN);
    }

    /* ACCUSING */

    function test_accuse_walletNoFactoryMade_reverts() public {
        GovernedWallet same = new GovernedWallet(token, address(timelock), ICases(cases), treasury, hub);
        vm.expectRevert(abi.encodeWithSelector(IWhitelist.WalletUnknown.selector, address(same)));
        vm.prank(stranger);
        cases.accuse(address(same), EVIDENCE, WHERE, GIO);
    }

    function test_accuse_walletThatIsNotRegistered_reverts() public {
        WalletState[4] memory others =
            [WalletState.Created, WalletState.Idle, WalletState.Suspected, WalletState.Punished];
        for (uint256 i = 0; i < others.length; ++i) {
            wallet.setState(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(ICases.WalletNotInQuestion.selector, address(wallet), CaseKind.Accusation)
            );
            vm.prank(stranger);
            cases.accuse(address(wallet), EVIDENCE, WHERE, GIO);
        }
    }

    /// @notice SONM's wallets could be suspected without any evidence.
    function test_sonm_suspicionWithoutEvidence_reverts() public {
        vm.expectRevert(ICases.EvidenceMissing.selector);
        vm.prank(stranger);
        cases.accuse(address(wallet), 0, WHERE, GIO);
        // And without a case, not even a passed vote suspects a wallet.
        Proposal memory p = _single(address(wallet), abi.encodeCall(IHubWallet.suspect, (0)), "no case");
        _propose(p);
        _voteFor(p.id);
        _queue(p);
        vm.expectRevert(GovernedWallet.NoSuchAccusation.selector);
        _execute(p);
    }

    function test_accuse_placeOfEvidenceTooLongOrNotPlain_reverts(uint256 length, bytes1 bad) public {
        length = bound(length, 257, 700);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICases.EvidencePlaceInvalid.selector, length, 256));
        cases.accuse(address(wallet), EVIDENCE, _text(length), GIO);

        vm.assume(bad < 0x21 || bad > 0x7e);
        string memory faked = string(bytes.concat("https://a", bad, "b"));
        vm.expectRevert(abi.encodeWithSelector(ICases.EvidencePlaceInvalid.selector, 11, 256));
        cases.accuse(address(wallet), EVIDENCE, faked, GIO);
    }

    function test_r08_accuse_bondBelowOnePerCent_reverts(uint128 own, uint128 bond) public {
        own = uint128(bound(own, 100 * GIO + 1, SUPPLY / 2));
        _fund(address(wallet), own);
        uint128 min = uint128((uint256(own) + 99) / 100);
        assertEq(cases.bondFor(address(wallet)), min);
        bond = uint128(bound(bond, 0, min - 1));
        vm.expectRevert(abi.encodeWithSelector(ICases.BondTooLow.selector, bond, min));
        vm.prank(stranger);
        cases.accuse(address(wallet), EVIDENCE, WHERE, bond);
    }

    function test_r08_accuse_bondBelowOneGio_reverts(uint128 own, uint128 bond) public {
        own = uint128(bound(own, 0, 100 * GIO));
        _fund(address(wallet), own);
        assertEq(cases.bondFor(address(wallet)), GIO);
        bond = uint128(bound(bond, 0, GIO - 1));
        vm.expectRevert(abi.encodeWithSelector(ICases.BondTooLow.selector, bond, GIO));
        vm.prank(stranger);
        cases.accuse(address(wallet), EVIDENCE, WHERE, bond);
    }

    function test_accuse_withoutTheMoney_reverts() public {
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(recipient);
        cases.accuse(address(wallet), EVIDENCE, WHERE, GIO);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(stranger);
        cases.accuse(address(wallet), EVIDENCE, WHERE, type(uint128).max);
        assertFalse(cases.isOpen(address(wallet)));
        assertEq(cases.caseCount(), 0);
    }

    function test_gv12_accuse_proposesToSuspect(uint128 bond) public {
        bond = uint128(bound(bond, GIO, 1000 * GIO));
        Proposal memory p = _expectedProposal(1, "suspect", abi.encodeCall(IHubWallet.suspect, (1)), EVIDENCE);
        vm.expectEmit(address(cases));
        emit ICases.CaseOpened(1, address(wallet), stranger, CaseKind.Accusation, bond, EVIDENCE, WHERE, p.id);
        vm.prank(stranger); // has no votes at all
        assertEq(cases.accuse(address(wallet), EVIDENCE, WHERE, bond), 1);

        Case memory c = cases.caseOf(1);
        assertEq(c.wallet, address(wallet));
        assertEq(c.openedAt, block.timestamp);
        assertEq(c.opener, stranger);
        assertEq(c.bond, bond);
        assertEq(c.proposalId, p.id);
        assertEq(cases.proposalOf(1), p.id);
        assertEq(c.evidence, EVIDENCE);
        assertEq(uint8(c.kind), uint8(CaseKind.Accusation));
        assertEq(uint8(c.outcome), uint8(CaseOutcome.Undecided));
        assertTrue(cases.isOpen(address(wallet)));
        assertTrue(cases.isPending(1, address(wallet)));
        assertFalse(cases.isPending(1, stranger));
        assertFalse(cases.isPending(2, address(0)));
        assertEq(token.balanceOf(address(cases)), bond);
        _assertProposal(p.id, IGovernor.ProposalState.Pending);
        assertFalse(dao.isGrave(p.id));
    }

    function _expectedProposal(uint256 caseId, string memory verb, bytes memory call_, bytes32 evidence)
        private
        view
        returns (Proposal memory)
    {
        string memory title = string.concat("Case ", vm.toString(caseId), ": ", verb, " ", _lower(address(wallet)));
        string memory proof = string.concat("\n\nEvidence: ", vm.toString(evidence), " ", WHERE);
        string memory guard = string.concat("\n#proposer=", _lower(address(cases)));
        return _single(address(wallet), call_, string.concat(title, proof, guard));
    }

    function _lower(address account) private pure returns (string memory) {
        return vm.toLowercase(vm.toString(account));
    }

    /// @dev Somebody with votes cannot take the case's proposal away from it.
    function test_accuse_proposalCannotBeMadeByOthers() public {
        Proposal memory p = _expectedProposal(1, "suspect", abi.encodeCall(IHubWallet.suspect, (1)), EVIDENCE);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorRestrictedProposer.selector, alice.addr));
        vm.prank(alice.addr);
        dao.propose(p.targets, p.values, p.calls, p.description);
    }

    function test_accuse_manyAtATime() public {
        vm.startPrank(stranger);
        for (uint256 i = 1; i <= 5; ++i) {
            assertEq(cases.accuse(address(wallet), EVIDENCE, WHERE, GIO), i);
        }
        assertEq(cases.openAccusations(address(wallet)), 5);
        assertEq(cases.caseCount(), 5);
    }

    function test_accuse_longestPlace_isAccepted() public {
        vm.prank(stranger);
        cases.accuse(address(wallet), EVIDENCE, _text(256), GIO);
        vm.prank(stranger);
        cases.accuse(address(wallet), EVIDENCE, "", GIO);
        assertEq(cases.caseCount(), 2);
    }

    /* APPEALING */

    function test_appeal_walletThatIsNotSuspected_reverts() public {
        WalletState[4] memory others =
            [WalletState.Created, WalletState.Registered, WalletState.Idle, WalletState.Punished];
        for (uint256 i = 0; i < others.length; ++i) {
            wallet.setState(others[i]);
            vm.expectRevert(
                abi.encodeWithSelector(ICases.WalletNotInQuestion.selector, address(wallet), CaseKind.Appeal)
            );
            vm.prank(hub);
            cases.appeal(address(wallet), EVIDENCE, WHERE, GIO);
        }
    }

    function test_appeal_byAnyoneElse_reverts(address caller) public {
        vm.assume(caller != hub);
        wallet.setState(WalletState.Suspected);
        vm.expectRevert(abi.encodeWithSelector(ICases.NotAppellant.selector, caller, hub));
        vm.prank(caller);
        cases.appeal(address(wallet), EVIDENCE, WHERE, GIO);
    }

    function test_appeal_bondTooLow_reverts(uint128 bond) public {
        wallet.setState(WalletState.Suspected);
        bond = uint128(bound(bond, 0, GIO - 1));
        vm.expectRevert(abi.encodeWithSelector(ICases.BondTooLow.selector, bond, GIO));
        vm.prank(hub);
        cases.appeal(address(wallet), EVIDENCE, WHERE, bond);
    }

    function test_appeal_proposesToRehabilitate() public {
        wallet.setState(WalletState.Suspected);
        Proposal memory p = _expectedProposal(1, "rehabilitate", abi.encodeCall(IHubWallet.rehab, ()), EVIDENCE);
        vm.expectEmit(address(cases));
        emit ICases.CaseOpened(1, address(wallet), hub, CaseKind.Appeal, GIO, EVIDENCE, WHERE, p.id);
        vm.prank(hub);
        cases.appeal(address(wallet), EVIDENCE, WHERE, GIO);
        assertFalse(cases.isOpen(address(wallet)), "an appeal blocks nothing");
        assertFalse(cases.isPending(1, address(wallet)), "and suspects nobody");
        _assertProposal(p.id, IGovernor.ProposalState.Pending);
    }

    function test_views_tellTheContracts() public view {
        assertEq(cases.token(), address(token));
        assertEq(cases.dao(), address(dao));
        assertEq(cases.treasury(), address(treasury));
        assertEq(cases.whitelist(), address(whitelist));
        assertEq(cases.bondMin(), BOND_MIN);
    }
}
