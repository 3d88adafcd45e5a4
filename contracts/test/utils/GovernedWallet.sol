// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ICases} from "src/interfaces/ICases.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {WalletState} from "src/types/Wallet.sol";

/// @notice The governed side of a wallet and nothing else, in any state a test wants. The real one is governed in
/// `Government.t.sol`.
contract GovernedWallet {
    IERC20 private immutable TOKEN;
    address private immutable DAO;
    ICases private immutable CASES;
    ITreasury private immutable TREASURY;
    address public immutable owner;
    uint32 public constant payoutPeriod = 30 days;

    WalletState public state = WalletState.Registered;
    uint64 public registeredAt = uint64(block.timestamp);
    uint64 public suspectedAt;
    uint256 public suspectedFor; // the case

    error NotTheDao();
    error NotInState();
    error NoSuchAccusation();

    constructor(IERC20 token, address dao, ICases cases, ITreasury treasury, address owner_) {
        TOKEN = token;
        DAO = dao;
        CASES = cases;
        TREASURY = treasury;
        owner = owner_;
    }

    modifier onlyDaoIn(WalletState required) {
        if (msg.sender != DAO) revert NotTheDao();
        if (state != required) revert NotInState();
        _;
    }

    function suspect(uint256 caseId) external onlyDaoIn(WalletState.Registered) {
        if (!CASES.isPending(caseId, address(this))) revert NoSuchAccusation();
        suspectedFor = caseId;
        state = WalletState.Suspected;
        suspectedAt = uint64(block.timestamp);
    }

    function rehab() external onlyDaoIn(WalletState.Suspected) {
        state = WalletState.Idle;
    }

    function ban() external onlyDaoIn(WalletState.Suspected) {
        state = WalletState.Punished;
        uint128 all = uint128(TOKEN.balanceOf(address(this)));
        TOKEN.approve(address(TREASURY), all);
        TREASURY.lockExpropriated(all);
    }

    function ownBalance() external view returns (uint256) {
        return TOKEN.balanceOf(address(this));
    }

    /// @dev A registration or a suspicion begins now, as in a real wallet.
    function setState(WalletState state_) external {
        state = state_;
        if (state_ == WalletState.Registered) registeredAt = uint64(block.timestamp);
        if (state_ == WalletState.Suspected) suspectedAt = uint64(block.timestamp);
    }
}
