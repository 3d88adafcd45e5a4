// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {WalletState} from "src/types/Wallet.sol";
import {ContractBuyer} from "../utils/ContractBuyer.sol";
import {GovernanceBase} from "../utils/GovernanceBase.sol";

/// @notice How votes count (GV-09), and what a ban needs (GV-11).
contract DaoVoteTest is GovernanceBase {
    bytes32 private constant BALLOT_TYPEHASH =
        keccak256("Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)");
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    Proposal private ordinary;
    Proposal private ban;

    function setUp() public override {
        super.setUp();
        ordinary = _single(address(token), abi.encodeCall(IERC20.approve, (recipient, 1)), "allow one unit");
        ban = _single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban");
        wallet.setState(WalletState.Suspected);
        _propose(ordinary);
        _propose(ban);
    }

    /* WHO VOTES */

    function test_vote_twice_reverts() public {
        _startVote(ordinary.id);
        _vote(alice, ordinary.id, FOR);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, alice.addr));
        vm.prank(alice.addr);
        dao.castVote(ordinary.id, AGAINST);
    }

    function test_vote_outsideThePeriod_reverts() public {
        vm.warp(dao.proposalSnapshot(ordinary.id));
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        vm.prank(alice.addr);
        dao.castVote(ordinary.id, FOR);

        vm.warp(dao.proposalDeadline(ordinary.id) + 1);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        vm.prank(alice.addr);
        dao.castVote(ordinary.id, FOR);
    }

    function test_gv09_tokensAfterTheSnapshot_doNotCount(uint256 amount) public {
        amount = bound(amount, 1, SUPPLY / 2);
        vm.warp(dao.proposalSnapshot(ordinary.id));
        skip(1);
        _giveVotes(stranger, amount);
        vm.startPrank(stranger);
        assertEq(dao.castVote(ordinary.id, FOR), 0, "bought after the snapshot");
        vm.stopPrank();
        (, uint256 forVotes,) = dao.proposalVotes(ordinary.id);
        assertEq(forVotes, 0);
    }

    function test_r12_tokensNobodyDelegated_doNotVote() public {
        _startVote(ordinary.id);
        vm.prank(faucet); // holds most of the supply
        assertEq(dao.castVote(ordinary.id, FOR), 0);
    }

    function test_gv09_votesMovedAfterTheSnapshot_countOnce() public {
        _startVote(ordinary.id);
        _vote(alice, ordinary.id, FOR);
        uint256 all = token.balanceOf(alice.addr);
        vm.prank(alice.addr);
        token.transfer(stranger, all);
        vm.startPrank(stranger);
        token.delegate(stranger);
        skip(1);
        assertEq(dao.castVote(ordinary.id, FOR), 0);
        vm.stopPrank();
        (, uint256 forVotes,) = dao.proposalVotes(ordinary.id);
        assertEq(forVotes, SUPPLY / 10);
    }

    /* SIGNED VOTES */

    function _ballot(uint256 chainId, address governor, uint256 id, uint8 support, address voter, uint256 nonce)
        private
        pure
        returns (bytes32)
    {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("GIO DAO"), keccak256("1"), chainId, governor));
        bytes32 ballot = keccak256(abi.encode(BALLOT_TYPEHASH, id, support, voter, nonce));
        return keccak256(bytes.concat(hex"1901", domain, ballot));
    }

    function _sign(Account memory by, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(by.key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _refusedBySig(uint8 support, address voter, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorInvalidSignature.selector, voter));
        dao.castVoteBySig(ordinary.id, support, voter, signature);
    }

    function test_castVoteBySig_foreignSignatures_revert() public {
        _startVote(ordinary.id);
        uint256 id = ordinary.id;
        bytes memory right = _sign(alice, _ballot(block.chainid, address(dao), id, FOR, alice.addr, 0));
        _refusedBySig(AGAINST, alice.addr, right); // another vote
        _refusedBySig(FOR, bob.addr, right); // another voter
        _refusedBySig(FOR, alice.addr, _sign(bob, _ballot(block.chainid, address(dao), id, FOR, alice.addr, 0)));
        _refusedBySig(FOR, alice.addr, _sign(alice, _ballot(1, address(dao), id, FOR, alice.addr, 0))); // chain
        _refusedBySig(FOR, alice.addr, _sign(alice, _ballot(block.chainid, address(this), id, FOR, alice.addr, 0)));
        _refusedBySig(FOR, alice.addr, _sign(alice, _ballot(block.chainid, address(dao), ban.id, FOR, alice.addr, 0)));
        _refusedBySig(FOR, alice.addr, _sign(alice, _ballot(block.chainid, address(dao), id, FOR, alice.addr, 1)));
        _refusedBySig(FOR, alice.addr, "");
        dao.castVoteBySig(id, FOR, alice.addr, right);
        _refusedBySig(FOR, alice.addr, right); // used up
    }

    function test_castVoteBySig_contractVoter_votesByEip1271() public {
        ContractBuyer voter = new ContractBuyer(carol.addr, IERC20(address(token)));
        vm.prank(bob.addr);
        token.delegate(address(voter));
        vm.warp(dao.proposalSnapshot(ordinary.id) + 1);
        bytes32 digest = _ballot(block.chainid, address(dao), ordinary.id, FOR, address(voter), 0);
        _refusedBySig(FOR, address(voter), _sign(bob, digest));
        assertEq(dao.castVoteBySig(ordinary.id, FOR, address(voter), _sign(carol, digest)), SUPPLY * 6 / 100);
    }

    /* QUORUM AND MAJORITY */

    function test_ordinary_passesWithQuorumAndMoreForThanAgainst() public {
        _startVote(ordinary.id);
        _vote(carol, ordinary.id, AGAINST); // 5 %
        _vote(bob, ordinary.id, FOR); // 6 %
        _endVote(ordinary.id);
        _assertProposal(ordinary.id, IGovernor.ProposalState.Succeeded);
    }

    function test_ordinary_withoutQuorum_isDefeated() public {
        Account memory dave = makeAccount("dave");
        _giveVotes(dave.addr, SUPPLY * 4 / 100 - 1);
        _startVote(ordinary.id);
        _vote(dave, ordinary.id, FOR);
        _endVote(ordinary.id);
        _assertProposal(ordinary.id, IGovernor.ProposalState.Defeated);
    }

    function test_ordinary_exactQuorum_passes() public {
        Account memory dave = makeAccount("dave");
        _giveVotes(dave.addr, SUPPLY * 4 / 100);
        _startVote(ordinary.id);
        _vote(dave, ordinary.id, FOR);
        _endVote(ordinary.id);
        _assertProposal(ordinary.id, IGovernor.ProposalState.Succeeded);
    }

    /// @notice GV-11: the votes that suffice to suspect do not suffice to ban.
    function test_gv11_ban_withTheQuorumOfASuspicion_isDefeated() public {
        _startVote(ban.id);
        _vote(alice, ban.id, FOR); // 10 %
        _vote(bob, ordinary.id, FOR); // 6 %: enough there
        _vote(bob, ban.id, FOR); // 16 % in all, 20 % needed
        _endVote(ban.id);
        _assertProposal(ban.id, IGovernor.ProposalState.Defeated);
        _assertProposal(ordinary.id, IGovernor.ProposalState.Succeeded);
    }

    /// @dev 21 % for, 11 % against: 65 %, where 67 % are needed.
    function test_gv11_ban_withASimpleMajority_isDefeated() public {
        _endVote(_again(makeAccount("dave"), SUPPLY * 11 / 100));
        _assertProposal(ban.id, IGovernor.ProposalState.Defeated);
    }

    /// @dev 16 % for and 5 % abstaining: abstention fills the quorum and does not touch the majority.
    function test_gv11_ban_withGraveQuorumAndMajority_passes() public {
        _startVote(ban.id);
        _vote(alice, ban.id, FOR);
        _vote(bob, ban.id, FOR);
        _vote(carol, ban.id, ABSTAIN);
        _endVote(ban.id);
        _assertProposal(ban.id, IGovernor.ProposalState.Succeeded);
    }

    /// @dev A ban with 21 % of the supply for it and `amount` against.
    function _again(Account memory dave, uint256 amount) private returns (uint256) {
        _giveVotes(dave.addr, amount);
        ban = _single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban again");
        skip(1);
        _propose(ban);
        _startVote(ban.id);
        _vote(alice, ban.id, FOR);
        _vote(bob, ban.id, FOR);
        _vote(carol, ban.id, FOR);
        _vote(dave, ban.id, AGAINST);
        return ban.id;
    }

    /// @dev 67 of 100 parts of the votes pass; one base unit more against, and they do not.
    function test_gv11_ban_exactMajority_passes() public {
        Account memory dave = makeAccount("dave");
        uint256 inFavour = uint256(SUPPLY) * 21 / 100;
        _fund(alice.addr, 67 - inFavour % 67);
        _endVote(_again(dave, (inFavour / 67 + 1) * 33));
        assertEq(token.getVotes(dave.addr) * 67, (inFavour + 67 - inFavour % 67) * 33, "67 to 33, exactly");
        _assertProposal(ban.id, IGovernor.ProposalState.Succeeded);

        Proposal memory closer = _single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "one more against");
        _fund(dave.addr, 1);
        skip(1);
        _propose(closer);
        _startVote(closer.id);
        _vote(alice, closer.id, FOR);
        _vote(bob, closer.id, FOR);
        _vote(carol, closer.id, FOR);
        _vote(dave, closer.id, AGAINST);
        _endVote(closer.id);
        _assertProposal(closer.id, IGovernor.ProposalState.Defeated);
    }

    function test_gv11_raisedOrdinaryQuorum_holdsForGraveProposalsToo() public {
        _pass(_single(address(dao), abi.encodeCall(dao.updateQuorumNumerator, (21)), "raise the quorum"));
        ban = _single(address(wallet), abi.encodeCall(IHubWallet.ban, ()), "ban later");
        _propose(ban);
        _startVote(ban.id);
        assertEq(dao.quorumOf(ban.id), SUPPLY * 21 / 100);
    }

    /// @notice GV-09: votes cast never exceed the supply at the snapshot, however they move and delegate.
    function test_gv09_votesCast_neverExceedTheSupply(uint256 seed) public {
        Account[3] memory voters = [alice, bob, carol];
        for (uint256 i = 0; i < 6; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            address from = voters[random % 3].addr;
            uint256 amount = bound(random >> 8, 0, token.balanceOf(from));
            vm.startPrank(from);
            token.transfer(voters[(random >> 16) % 3].addr, amount);
            token.delegate(voters[(random >> 24) % 3].addr);
            vm.stopPrank();
            skip((random >> 32) % 1 days);
        }
        vm.warp(dao.proposalSnapshot(ordinary.id) + 1 + seed % VOTING_PERIOD);
        for (uint256 i = 0; i < 3; ++i) {
            _vote(voters[i], ordinary.id, uint8(seed >> i) % 3);
        }
        (uint256 a, uint256 f, uint256 n) = dao.proposalVotes(ordinary.id);
        assertLe(a + f + n, SUPPLY * 21 / 100, "more votes than delegated");
    }

    /* EXECUTION */

    function test_execute_beforeTheDelay_reverts() public {
        _voteFor(ordinary.id);
        dao.queue(ordinary.id);
        vm.warp(dao.proposalEta(ordinary.id) - 1);
        vm.expectRevert();
        dao.execute(ordinary.id);
        skip(1);
        dao.execute(ordinary.id);
        assertEq(token.allowance(address(timelock), recipient), 1);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        dao.execute(ordinary.id);
    }

    function test_queue_beforeTheVoteEnds_reverts() public {
        _startVote(ordinary.id);
        _vote(alice, ordinary.id, FOR);
        vm.warp(dao.proposalDeadline(ordinary.id));
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        dao.queue(ordinary.id);
    }

    function test_timelock_scheduledByAnyoneElse_reverts(address anyone) public {
        vm.assume(anyone != address(dao));
        bytes memory call_ = abi.encodeCall(IHubWallet.ban, ());
        vm.expectRevert();
        vm.prank(anyone);
        timelock.schedule(address(wallet), 0, call_, 0, 0, TIMELOCK_DELAY);
    }

    function test_settings_changeByGraveVoteOnly() public {
        vm.expectPartialRevert(IGovernor.GovernorOnlyExecutor.selector);
        vm.prank(alice.addr);
        dao.setVotingPeriod(1 days);
        // Even the timelock must be carrying out a proposal of the Dao.
        vm.expectRevert();
        vm.prank(address(timelock));
        dao.setVotingPeriod(1 days);

        _pass(_single(address(dao), abi.encodeCall(dao.setVotingPeriod, (1 days)), "shorter votes"));
        assertEq(dao.votingPeriod(), 1 days);
    }
}
